// A chat button for any site: <script src="https://chat.example.org/widget.js" data-entry="DOOR" data-lang="sv" async></script>
// It asks whether the door is open and makes a button; the conversation itself is a frame that this site cannot look into.
(() => {
  "use strict";
  const script = document.currentScript;
  const { entry, lang = "" } = script.dataset;
  const home = new URL(script.src).origin;
  const query = lang ? `?lang=${encodeURIComponent(lang)}` : "";
  const address = `${home}/w/e/${encodeURIComponent(entry)}`;

  fetch(address + "/state" + query, { credentials: "omit", referrerPolicy: "no-referrer" })
    .then((answer) => {
      if (answer.status === 403) console.warn(`Samtal: no button, for ${location.origin} is not among the sites that may frame these pages (pages.frame_ancestors).`);
      return answer.ok ? answer.json() : Promise.reject(new Error(answer.status));
    })
    .then((door) => {
      const host = document.createElement("div");
      const root = host.attachShadow({ mode: "closed" });
      const style = new CSSStyleSheet();
      // In px: a rem is whatever the host page has made of it.
      style.replaceSync(`
        :host { all: initial; position: fixed; inset-block-end: 16px; inset-inline-end: 16px; z-index: 2147483000; font: 600 17px/1.4 system-ui, sans-serif; }
        button { font: inherit; min-height: 48px; padding: 9.6px 22.4px; border-radius: 999px; border: 2px solid #fff; background: #0b5c5e; color: #fff; cursor: pointer; box-shadow: 0 2px 12px rgb(0 0 0 / 30%); }
        button.shut { background: #fff; color: #0b5c5e; border-color: #0b5c5e; }
        button:focus-visible { outline: 3px solid #1a4fd6; outline-offset: 3px; }
        section { display: flex; flex-direction: column; align-items: flex-end; gap: 8px; }
        iframe { width: min(416px, calc(100vw - 32px)); height: min(704px, calc(100dvh - 96px)); border: 1px solid #827a6c; border-radius: 12px; background: #f8f5ef; box-shadow: 0 4px 24px rgb(0 0 0 / 30%); }
        [hidden] { display: none; }`);
      root.adoptedStyleSheets = [style];
      const section = document.createElement("section");
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: door.label, className: door.open ? "open" : "shut", lang });
      button.setAttribute("aria-expanded", "false");
      let frame;
      button.addEventListener("click", () => {
        if (!frame) {
          frame = Object.assign(document.createElement("iframe"), { src: address + query, title: door.title, referrerPolicy: "origin", hidden: true });
          section.prepend(frame);
        }
        frame.hidden = !frame.hidden;
        button.textContent = frame.hidden ? door.label : door.close;
        button.setAttribute("aria-expanded", String(!frame.hidden));
        if (!frame.hidden) frame.focus();
      });
      section.append(button);
      root.append(section);
      document.body.append(host);
    })
    .catch(() => { /* without an answer there is no button that would lead nowhere */ });
})();
