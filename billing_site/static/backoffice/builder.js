// The fields keep what is typed while the server recalculates. Its answer is shown beside each field.
(() => {
  const names = (text) => new Set((text || "").split(" ").filter(Boolean));
  const mark = (line) => {
    const { changed, refused, calculated, out } = line.querySelector(".result").dataset;
    const tinted = names(changed), wrong = names(refused);
    line.classList.toggle("is-out", out !== undefined);
    for (const cell of line.querySelectorAll("[data-field]")) {
      const input = cell.querySelector("input, select");
      cell.classList.toggle("is-changed", tinted.has(cell.dataset.field));
      cell.classList.toggle("is-refused", wrong.has(cell.dataset.field));
      if (!input) continue;
      if (wrong.has(cell.dataset.field)) input.setAttribute("aria-invalid", "true"); else input.removeAttribute("aria-invalid");
      if (cell.dataset.field === "amount" && calculated) input.placeholder = calculated;
    }
  };
  // The answer has the results of all lines in one template. Only changed ones are put into the page. htmx would swap
  // out-of-band pieces one by one, and announce all earlier ones again each time: minutes for 2,000 lines.
  document.addEventListener("htmx:afterSwap", ({ target }) => {
    const answer = target.querySelector("template[data-results]");
    if (!answer) return;
    answer.remove();
    for (const result of [...answer.content.children]) {
      const shown = document.getElementById(result.id);
      if (!shown || shown.isEqualNode(result)) continue;
      shown.replaceWith(result);
      mark(result.closest("[data-line]"));
    }
  });

  // Only changes are sent: a field of a line or of units has no name until it is edited. The server takes a missing
  // field from the original. `data-edited` marks fields that differed from it when the page was loaded.
  const form = document.querySelector("[data-builder]");
  if (form) {
    const unname = (root) => {
      for (const field of root.querySelectorAll(':is([name^="line-"], [name^="usage-"]):not([data-edited])')) {
        field.dataset.name = field.name;
        field.removeAttribute("name");
      }
    };
    unname(form);
    // The details of a line of many are fetched when they are opened.
    document.addEventListener("htmx:afterSwap", ({ detail }) => {
      if (detail.elt.matches("details.more")) unname(detail.elt);
    });
    // Of many lines, a list of services has only the chosen one until it is used.
    form.addEventListener("focusin", ({ target }) => {
      if (!target.dataset.options) return;
      const chosen = target.value;
      target.replaceChildren(document.getElementById(`options-${target.dataset.options}`).content.cloneNode(true));
      target.value = chosen;
      delete target.dataset.options;
    });
    form.addEventListener("input", ({ target }) => {
      const { name } = target.dataset;
      if (!name || target.name) return;
      // The check box of a line has a hidden field, which sends "no" if the box is not checked.
      for (const field of target.closest("[data-line]").querySelectorAll(`[data-name="${name}"]`)) field.name = name;
    });
  }

  for (const button of document.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }
})();
