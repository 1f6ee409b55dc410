// Shortcuts for the pages. Every page works without this script.
(() => {
  const typing = (element) => element && /^(INPUT|SELECT|TEXTAREA)$/.test(element.tagName);

  // The search over everything: arrow keys move between its field and what is found, Escape closes it.
  const searched = () => document.getElementById("site-search");
  const moveInFound = (event) => {
    const field = searched(), box = document.getElementById("found");
    if (!field || !field.form.contains(event.target)) return false;
    if (event.key === "Escape") { box.replaceChildren(); field.focus(); return true; }
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return false;
    const places = [field, ...box.querySelectorAll("[data-found]")];
    const next = places[places.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1)];
    if (next) { event.preventDefault(); next.focus(); }
    return true;
  };
  document.addEventListener("click", (event) => {
    const field = searched();
    if (field && !field.form.contains(event.target)) document.getElementById("found").replaceChildren();
  });

  // Keys: Ctrl+K and "/" focus the search, "?" shows the list of keys, j and k move through the rows of a list.
  document.addEventListener("keydown", (event) => {
    if (moveInFound(event)) return;
    if (event.key === "Enter" && event.target.matches("input[data-tick]")) {
      const link = event.target.closest("[data-row]")?.querySelector("a");
      if (link) { event.preventDefault(); link.click(); }
      return;
    }
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      if (searched()) { event.preventDefault(); searched().focus(); searched().select(); }
      return;
    }
    if (event.ctrlKey && event.key === "Enter") {
      const button = document.querySelector("[data-ctrl-enter]");
      if (button) { event.preventDefault(); button.click(); }
      return;
    }
    if (typing(document.activeElement) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      if (searched()) { event.preventDefault(); searched().focus(); }
    } else if (event.key === "?") {
      const keys = document.getElementById("keys");
      if (keys) { keys.open = !keys.open; keys.querySelector("summary").focus(); }
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

  // After a refusal the focus is on the first wrong field, whose error is read out with it; else on what says why.
  const first = (root, selector) => [...root.querySelectorAll(selector)].find((one) => one.offsetParent !== null);
  const focusOn = (element) => {
    if (!element.matches("a, button, input, select, textarea, summary, [tabindex]")) element.tabIndex = -1;
    element.focus({ preventScroll: element.tabIndex === -1 });
    return document.activeElement === element;
  };
  const main = () => document.getElementById("main") || document.body;
  const wrongOf = (root) => first(root, "[aria-invalid=true]") || first(root, "[role=alert]:not(:empty)");
  document.addEventListener("DOMContentLoaded", () => {
    for (const box of document.querySelectorAll("details:not([open]):has([aria-invalid=true])")) box.open = true;
    if (document.activeElement !== document.body && !document.querySelector("[aria-invalid=true]")) return;
    if (document.activeElement.matches("[aria-invalid=true]")) return;
    const wrong = wrongOf(main());
    if (wrong) focusOn(wrong);
  });
  // If what had the focus was replaced, the focus goes to what came in its place.
  let swapped = false;
  document.addEventListener("htmx:beforeSwap", ({ detail }) => { swapped = detail.target.contains(document.activeElement) && document.activeElement !== document.body; });
  document.addEventListener("htmx:afterSettle", ({ detail }) => {
    const lost = !document.activeElement || document.activeElement === document.body;
    if (!lost || !swapped) return;
    swapped = false;
    const place = detail.elt && detail.elt.isConnected ? detail.elt : main();
    focusOn(wrongOf(place) || place);
  });

  // Leaving the page asks if something is typed that was not sent.
  const isChanged = (field) => {
    if (field.disabled || !field.closest("form[method=post]")) return false;
    if (field.closest("[data-ticking], .list-tools, dialog, [data-no-question]")) return false;
    if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
    if (field.tagName === "SELECT") return [...field.options].some((one) => one.selected !== one.defaultSelected) && typed.has(field);
    return field.type !== "hidden" && field.value !== field.defaultValue;
  };
  const typed = new Set();
  let leaves = false;
  document.addEventListener("input", ({ target }) => typed.add(target));
  document.addEventListener("submit", (event) => { if (!event.defaultPrevented) leaves = !event.submitter?.matches("[data-download]"); });
  window.addEventListener("beforeunload", (event) => {
    const kept = !leaves && [...typed].some((field) => field.isConnected && isChanged(field));
    leaves = false;
    if (kept) event.preventDefault();
  });

  // Send a form only once, however often its button is pressed.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.method === "get") return;
    if (event.submitter && event.submitter.matches("[data-download]")) return; // a file leaves the page as it is
    if (event.target.dataset.sent) { event.preventDefault(); return; }
    event.target.dataset.sent = "yes";
    event.target.setAttribute("aria-busy", "true");
  });
  // Preview nothing of a form that is being sent.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const form = event.detail.elt.closest("form");
    if (form && form.dataset.sent) event.preventDefault();
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });

  // If the server cannot be reached or fails, say so and strike out the figures that it would have replaced. The next answer
  // takes both away. Once the network is back, the request is sent again.
  let refused = null;
  const figuresOf = ({ elt, target }) => elt.closest("form") || target;
  const tell = (text) => {
    const box = document.getElementById("network");
    if (box) {
      box.textContent = text;
      box.classList.toggle("alert", Boolean(text));
      box.classList.toggle("alert-danger", Boolean(text));
    }
  };
  const failed = (event, text) => {
    refused = event.detail;
    figuresOf(event.detail).classList.add("is-stale");
    tell(text);
  };
  const again = () => {
    if (!refused) return;
    const { elt, requestConfig } = refused;
    const type = requestConfig && requestConfig.triggeringEvent ? requestConfig.triggeringEvent.type : "";
    if (type === "click" || type === "submit") return;
    if (type) elt.dispatchEvent(new Event(type, { bubbles: true }));
  };
  const box = (name) => document.getElementById("network")?.dataset[name] || "";
  document.addEventListener("htmx:sendError", (event) => failed(event, box("unreachable")));
  document.addEventListener("htmx:responseError", (event) => {
    if (event.detail.xhr.status === 401) signIn(event); else failed(event, box("failed"));
  });
  document.addEventListener("htmx:afterOnLoad", (event) => {
    if (event.detail.xhr.status >= 400) return;
    refused = null;
    figuresOf(event.detail).classList.remove("is-stale");
    tell("");
  });
  window.addEventListener("online", again);

  // If the session has ended, a dialog signs in again. What is typed stays, and the request is sent again.
  const signIn = (event) => {
    refused = event.detail;
    figuresOf(event.detail).classList.add("is-stale");
    const dialog = document.getElementById("signed-out") || newDialog();
    if (dialog && !dialog.open) dialog.showModal();
  };
  const renew = (token) => {
    for (const input of document.querySelectorAll("input[name=csrfmiddlewaretoken]")) input.value = token;
    document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRFToken": token }));
  };
  const askForCode = (form, { step }) => {
    const field = form.querySelector("[data-code]");
    const isFirst = step === "code" && field.hidden;
    if (step === "code") field.hidden = false;
    if (!isFirst) return false;
    field.querySelector("input").focus();
    return null; // the password was right: only the code is missing
  };
  const ask = async (form) => {
    const page = await fetch(form.action);
    const fresh = new DOMParser().parseFromString(await page.text(), "text/html").querySelector("input[name=csrfmiddlewaretoken]");
    if (fresh) renew(fresh.value);
    if (page.redirected) return true; // signed in by another window
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { "X-Requested-With": "fetch" } });
    if (answer.status === 401) return askForCode(form, await answer.json());
    if (!answer.ok || !(answer.headers.get("Content-Type") || "").includes("json")) return false;
    renew((await answer.json()).token);
    return true;
  };
  const newDialog = () => {
    const template = document.getElementById("signed-out-template");
    if (!template) return null;
    document.body.append(template.content.cloneNode(true));
    const dialog = document.getElementById("signed-out");
    dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
    dialog.querySelector("form").addEventListener("submit", async (event) => {
      event.preventDefault();
      const wrong = dialog.querySelector("[data-wrong]");
      wrong.hidden = true;
      const isIn = await ask(event.target).catch(() => false);
      if (isIn === null) return;
      dialog.querySelector("[type=password]").value = dialog.querySelector("[name=code]").value = "";
      wrong.hidden = isIn;
      if (!isIn) return;
      dialog.close();
      again();
    });
    return dialog;
  };
})();
