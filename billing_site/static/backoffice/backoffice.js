// Shortcuts for the pages. Every page works without this script.
(() => {
  const typing = (element) => element && /^(INPUT|SELECT|TEXTAREA)$/.test(element.tagName);

  // Keys: "/" focuses the search, "?" opens the list of keys, j and k move through the rows of a list.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey && event.key === "Enter") {
      const button = document.querySelector("[data-ctrl-enter]");
      if (button) { event.preventDefault(); button.click(); }
      return;
    }
    if (typing(document.activeElement) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      const search = document.querySelector("input[type=search]");
      if (search) { event.preventDefault(); search.focus(); }
    } else if (event.key === "j" || event.key === "k") {
      const rows = [...document.querySelectorAll("[data-row]")];
      const at = rows.findIndex((row) => row.contains(document.activeElement));
      const next = rows[at === -1 ? 0 : at + (event.key === "j" ? 1 : -1)];
      const link = next && next.querySelector("a, input, button");
      if (link) { event.preventDefault(); link.focus(); }
    }
  });

  // The bar at the bottom counts the selected rows. One check box selects all rows of the page.
  const count = (form) => {
    const boxes = [...form.querySelectorAll("input[data-tick]")];
    const ticked = boxes.filter((box) => box.checked);
    const sums = {}, decimals = {};
    for (const box of ticked) {
      decimals[box.dataset.currency] = Number(box.dataset.decimals);
      sums[box.dataset.currency] = (sums[box.dataset.currency] || 0n) + BigInt(box.dataset.units);
    }
    const all = form.querySelector("input[data-tick-all]");
    if (all) {
      all.checked = boxes.length > 0 && ticked.length === boxes.length;
      all.indeterminate = ticked.length > 0 && !all.checked;
    }
    for (const output of form.querySelectorAll("[data-ticked]")) output.textContent = ticked.length;
    for (const output of form.querySelectorAll("[data-ticked-totals]")) {
      output.textContent = Object.entries(sums).map(([currency, units]) => {
        // The browser's number of decimals follows the coins in use, not ISO 4217.
        const shown = decimals[currency];
        const format = new Intl.NumberFormat(form.dataset.locale, {
          style: "currency", currency: currency.toUpperCase(), minimumFractionDigits: shown, maximumFractionDigits: shown,
        });
        return format.format(Number(units) / 10 ** shown);
      }).join(" · ");
    }
    for (const output of form.querySelectorAll("[data-ticked-blocked]")) {
      const blocked = ticked.filter((box) => box.dataset.blocked);
      output.hidden = blocked.length === 0;
      const number = output.querySelector("[data-number]");
      if (number) number.textContent = blocked.length;
    }
  };
  const listen = (root) => {
    for (const form of root.querySelectorAll("form[data-ticking]")) {
      if (form.dataset.listens) continue;
      form.dataset.listens = "yes";
      form.addEventListener("change", (event) => {
        if (event.target.matches("input[data-tick-all]")) {
          for (const box of form.querySelectorAll("input[data-tick]")) box.checked = event.target.checked;
        }
        count(form);
      });
      count(form);
    }
    // Hide what is not needed when scripts run.
    for (const element of root.querySelectorAll("[data-without-script]")) element.hidden = true;
  };
  document.addEventListener("DOMContentLoaded", () => listen(document));
  document.addEventListener("htmx:load", (event) => listen(event.detail.elt.parentElement || document));

  // Send a form only once, however often its button is pressed.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.method === "get") return;
    if (event.target.dataset.sent) { event.preventDefault(); return; }
    event.target.dataset.sent = "yes";
    event.target.setAttribute("aria-busy", "true");
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });

  // If the server cannot be reached or fails, show that among the messages.
  const tell = (text) => {
    const box = document.getElementById("messages");
    if (!box) return;
    const alert = document.createElement("div");
    alert.className = "alert alert-danger";
    alert.setAttribute("role", "alert");
    alert.textContent = text;
    box.replaceChildren(alert);
  };
  document.addEventListener("htmx:sendError", () => tell("The server cannot be reached. What you typed is kept: try again."));
  document.addEventListener("htmx:responseError", (event) => tell(`The server answered ${event.detail.xhr.status}. Load the page again.`));
})();
