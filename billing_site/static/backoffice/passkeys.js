// Passkeys: the browser makes or shows one, and the form sends what it says. Without passkeys the buttons stay hidden.
(() => {
  const supported = window.PublicKeyCredential && PublicKeyCredential.parseCreationOptionsFromJSON;
  const begin = async (form) => {
    const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
    const answer = await fetch(form.dataset.options, { method: "POST", headers: { "X-CSRFToken": token } });
    if (!answer.ok) throw new Error(answer.status);
    return (await answer.json()).publicKey;
  };
  const asked = {
    add: async (form) => {
      const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(await begin(form));
      return navigator.credentials.create({ publicKey });
    },
    show: async (form) => {
      const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(await begin(form));
      return navigator.credentials.get({ publicKey });
    },
  };
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    if (!supported) continue;
    form.closest("[data-passkeys]").hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const wrong = form.querySelector("[data-wrong]");
      wrong.hidden = true;
      try {
        const credential = await asked[form.dataset.passkey](form);
        form.querySelector("[name=answer]").value = JSON.stringify(credential.toJSON());
        form.submit();
      } catch {
        wrong.hidden = false;
      }
    });
  }
})();
