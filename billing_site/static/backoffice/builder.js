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
  // Each result that is swapped in says so: only its own line is marked, since 2,000 times 2,000 would take minutes.
  document.addEventListener("htmx:afterSettle", ({ target }) => {
    const line = target.closest("[data-line]");
    if (line) mark(line);
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
