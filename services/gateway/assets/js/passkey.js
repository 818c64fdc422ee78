// Forms that ask the browser for a passkey and post what it makes. Without this script, or a browser that knows passkeys, they stay hidden.
(() => {
  "use strict";
  if (!window.PublicKeyCredential || !navigator.credentials) return;
  const bytes = (text) => new TextEncoder().encode(text);
  const encode = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replaceAll("+", "-")
      .replaceAll("/", "_")
      .replace(/=+$/, "");

  const make = ({ challenge, user, name }) =>
    navigator.credentials.create({
      publicKey: {
        challenge: bytes(challenge),
        rp: { name: "Samtal" },
        user: { id: bytes(user), name, displayName: name },
        pubKeyCredParams: [{ type: "public-key", alg: -7 }],
        authenticatorSelection: { residentKey: "required", requireResidentKey: true, userVerification: "required" },
        attestation: "none",
      },
    });
  const find = ({ challenge }) => navigator.credentials.get({ publicKey: { challenge: bytes(challenge), userVerification: "required" } });

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const failed = form.querySelector("[role=alert]");
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      failed.hidden = true;
      const keep = (name, value) => (form.elements[name].value = encode(value));
      try {
        if (form.dataset.passkey === "make") {
          const { response } = await make(form.dataset);
          keep("client_data", response.clientDataJSON);
          keep("authenticator_data", response.getAuthenticatorData());
          keep("public_key", response.getPublicKey());
        } else {
          const { rawId, response } = await find(form.dataset);
          keep("credential", rawId);
          keep("client_data", response.clientDataJSON);
          keep("authenticator_data", response.authenticatorData);
          keep("signature", response.signature);
        }
        form.submit();
      } catch {
        // Cancelled, too slow, or a device that has none.
        failed.hidden = false;
      }
    });
  }
})();
