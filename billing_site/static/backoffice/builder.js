// The builder's fields stay as they are typed while the server counts: what its answer says of each is shown at the field.
(() => {
  const names = (text) => new Set((text || "").split(" ").filter(Boolean));
  const mark = (line) => {
    const { changed, refused, counted, out } = line.querySelector(".result").dataset;
    const tinted = names(changed), wrong = names(refused);
    line.classList.toggle("is-out", out !== undefined);
    for (const cell of line.querySelectorAll("[data-field]")) {
      const input = cell.querySelector("input, select");
      cell.classList.toggle("is-changed", tinted.has(cell.dataset.field));
      cell.classList.toggle("is-refused", wrong.has(cell.dataset.field));
      if (!input) continue;
      if (wrong.has(cell.dataset.field)) input.setAttribute("aria-invalid", "true"); else input.removeAttribute("aria-invalid");
      if (cell.dataset.field === "amount" && counted) input.placeholder = counted;
    }
  };
  // The answer has the results of all lines in one template. Only those that differ from the page are put into it: htmx swaps
  // out-of-band pieces one by one and announces all earlier ones again at each, which takes minutes for 2,000 lines.
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

  // Only what was changed is sent: a field of a line, or of units, has no name until it is typed into. What is not sent, the
  // server reads as it is on the original; `data-typed` marks what it has read as something else before.
  const form = document.querySelector("[data-builder]");
  if (form) {
    for (const field of form.querySelectorAll(':is([name^="line-"], [name^="usage-"]):not([data-typed])')) {
      field.dataset.name = field.name;
      field.removeAttribute("name");
    }
    form.addEventListener("input", ({ target }) => {
      const { name } = target.dataset;
      if (!name || target.name) return;
      // The box of a line has a twin, which says "no" where the box is not ticked.
      for (const field of target.closest("[data-line]").querySelectorAll(`[data-name="${name}"]`)) field.name = name;
    });
  }

  for (const button of document.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }
})();
