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
  document.addEventListener("htmx:afterSettle", () => document.querySelectorAll("[data-line]").forEach(mark));

  for (const button of document.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }
})();
