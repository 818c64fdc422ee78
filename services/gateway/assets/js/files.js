// Files of a conversation's form: what was chosen, whether it may be sent, and the sending with its progress. Without this script the
// browser's own field and the form do the same.
(() => {
  "use strict";
  const input = document.getElementById("files");
  if (!input) return;
  const part = input.closest(".attach");
  const form = input.form;
  const list = part.querySelector(".chosen");
  const refused = document.getElementById("files-refused");
  const { max, remove, large, kind, progress, drop } = list.dataset;
  const kinds = input.accept.split(",");
  let files = [];
  part.classList.add("scripted");

  const say = (text) => {
    refused.textContent = text;
    refused.hidden = !text;
  };
  const number = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 });
  const size = (bytes) => (bytes < 1048576 ? `${Math.ceil(bytes / 1024)} kB` : `${number.format(bytes / 1048576)} MB`);

  function draw() {
    list.hidden = files.length === 0;
    list.replaceChildren(
      ...files.map((file) => {
        const item = document.createElement("li");
        const name = Object.assign(document.createElement("span"), { textContent: `${file.name} · ${size(file.size)}` });
        const button = Object.assign(document.createElement("button"), { type: "button", className: "button quiet", textContent: remove.replace("{}", file.name) });
        button.addEventListener("click", () => {
          files = files.filter((one) => one !== file);
          draw();
          input.focus();
        });
        item.append(name, button);
        return item;
      }),
    );
  }

  function add(chosen) {
    const wrong = [];
    for (const file of chosen) {
      if (file.size > Number(max)) wrong.push(large.replace("{}", file.name));
      else if (!kinds.includes(file.type)) wrong.push(kind.replace("{}", file.name));
      else if (files.length < 10) files.push(file);
    }
    say(wrong.join(" "));
    draw();
  }

  input.addEventListener("change", () => {
    add(input.files);
    input.value = "";
  });
  form.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length === 0) return;
    event.preventDefault();
    add(event.clipboardData.files);
  });
  form.addEventListener("dragover", (event) => event.preventDefault());
  form.addEventListener("drop", (event) => {
    if (event.dataTransfer.files.length === 0) return;
    event.preventDefault();
    add(event.dataTransfer.files);
  });

  globalThis.samtalFiles = {
    drop,
    /** What was chosen, once: the form is empty afterwards. */
    take() {
      const taken = files;
      files = [];
      say("");
      draw();
      return taken;
    },

    /** Lines that show what is on its way, with how far it has come. */
    shown(chosen) {
      const names = chosen.map((file) => Object.assign(document.createElement("p"), { className: "going", textContent: `${file.name} · ${size(file.size)}` }));
      const bar = Object.assign(document.createElement("progress"), { max: 1, value: 0 });
      bar.setAttribute("aria-label", progress);
      return [...names, bar];
    },

    /** Sends a message with files; `told` hears how far it has come. {status, body}; status 0: no answer. */
    send(fields, chosen, told) {
      const body = new FormData();
      for (const [name, value] of Object.entries(fields)) body.append(name, value);
      for (const file of chosen) body.append("file", file);
      return new Promise((resolve) => {
        const request = new XMLHttpRequest();
        request.open("POST", form.action);
        request.setRequestHeader("accept", "application/json");
        request.timeout = 130_000;
        request.upload.addEventListener("progress", (event) => event.lengthComputable && told(event.loaded / event.total));
        request.addEventListener("loadend", () => {
          let said = {};
          try {
            said = JSON.parse(request.responseText);
          } catch { /* a page, or nothing */ }
          resolve({ status: request.status, body: said });
        });
        request.send(body);
      });
    },
  };
})();
