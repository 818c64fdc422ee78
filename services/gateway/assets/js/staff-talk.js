// A conversation: sending without a reload, one state for each message, who is typing, what the other conversations say.
(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  const [log, pending, scroll, form] = [$("log"), $("pending"), $("scroll"), $("write")];
  const id = log.dataset.case;
  const last = () => Number(log.lastElementChild?.id.slice(2) || log.dataset.after);
  const atEnd = () => scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
  const toEnd = () => (scroll.scrollTop = scroll.scrollHeight);
  toEnd();
  samtal.see(id, last());

  log.addEventListener("samtal:message", () => {
    const follow = atEnd() || pending.children.length > 0;
    $("typing").textContent = "";
    settle(log.lastElementChild);
    if (follow) toEnd();
    if (!document.hidden) samtal.see(id, last());
  });
  document.addEventListener("visibilitychange", () => !document.hidden && samtal.see(id, last()));

  let typing;
  log.addEventListener("samtal:typing", () => {
    $("typing").textContent = $("typing").dataset.text;
    clearTimeout(typing);
    typing = setTimeout(() => ($("typing").textContent = ""), 5000);
  });

  const closed = !form && Boolean($("summary"));
  /** The visitor goes on while the summary is on its way into the journal: it stays until whoever copies it has done so. */
  const reopened = () => ($("reopened").firstElementChild.hidden = false);
  log.addEventListener("samtal:case", (event) => {
    if (closed && event.detail !== "closed") reopened();
    else if ((event.detail === "closed") !== closed) samtal.leaving() || location.reload();
    else samtal.refresh(["head", "facts", "mine", "pass-on"]);
  });
  log.addEventListener("samtal:end", (event) => {
    if (event.detail !== "gone") return;
    if (closed) reopened();
    else if (!samtal.leaving()) top.location.assign("/staff?said=not-yours");
  });

  document.addEventListener("samtal:news", (event) => !event.detail.startsWith(id) && samtal.refresh(["mine"]));
  document.addEventListener("samtal:turned-down", (one) => {
    if (!document.querySelector(`[data-turned-down="${one.detail}"]`)) samtal.refresh(["mine", "handover"]);
  });
  const offers = new Set();
  const flag = () => {
    $("offer-flag").hidden = offers.size === 0;
    samtal.count(offers.size);
  };
  for (const event of ["offered", "alert"]) {
    document.addEventListener(`samtal:${event}`, (one) => {
      if (one.detail === id || offers.has(one.detail)) return;
      offers.add(one.detail);
      samtal.ring();
      flag();
    });
  }
  document.addEventListener("samtal:offer-ended", (one) => {
    offers.delete(one.detail);
    flag();
  });

  if (!form) return;

  // --- Sending: in order, one at a time. A message is on its way, or committed (then it is in the log), or it failed. ---------
  const text = form.elements.text;
  const draft = `draft-${id}`;
  let sending = false;
  // What is on its way or has failed outlives a reload, in this tab and for this worker only; files do not.
  const outbox = `outbox-${id}`;
  const keep = () => {
    const all = [...pending.children].filter((bubble) => !bubble.files);
    const kept = all.map((bubble) => ({ me: form.dataset.me, client: bubble.dataset.client, text: bubble.querySelector(".text").textContent, state: bubble.dataset.state }));
    if (kept.length > 0) sessionStorage.setItem(outbox, JSON.stringify(kept));
    else sessionStorage.removeItem(outbox);
  };

  /** A message of one's own that is not in the log yet. */
  function add(client, said) {
    const bubble = document.importNode($("bubble").content.firstElementChild, true);
    bubble.querySelector(".text").textContent = said;
    bubble.dataset.client = client;
    bubble.querySelector("[data-again]").addEventListener("click", () => {
      state(bubble, "sending");
      next();
    });
    bubble.querySelector("[data-drop]").addEventListener("click", () => {
      text.value = text.value || bubble.querySelector(".text").textContent;
      text.dispatchEvent(new Event("input", { bubbles: true }));
      bubble.remove();
      keep();
      text.focus();
      next();
    });
    pending.append(bubble);
    return bubble;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const files = globalThis.samtalFiles?.take() ?? [];
    if (!text.value.trim() && files.length === 0) return;
    const bubble = add(crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, text.value);
    if (files.length > 0) {
      bubble.files = files;
      bubble.querySelector(".sending").before(...samtalFiles.shown(files));
    }
    state(bubble, "sending");
    text.value = "";
    sessionStorage.removeItem(draft);
    grow();
    toEnd();
    next();
  });

  function state(bubble, now) {
    bubble.dataset.state = now;
    for (const one of ["sending", "failed", "ended"]) bubble.querySelector(`[data-${one}]`).hidden = one !== now;
    keep();
  }

  async function next() {
    const bubble = pending.firstElementChild;
    if (sending || !bubble || bubble.dataset.state !== "sending") return;
    sending = true;
    const said = bubble.querySelector(".text").textContent;
    try {
      const answer = bubble.files ? await sendFiles(bubble, said) : await samtal.post(form.dataset.message, { text: said, client_id: bubble.dataset.client }, { accept: "application/json" });
      if (answer.status === 401) {
        if (bubble.files) sessionStorage.setItem(draft, said);
        return samtal.signIn();
      }
      if (!answer.ok) throw answer.status;
      const { seq } = await answer.json();
      settle($(`m-${seq}`));
    } catch (status) {
      state(bubble, status === 409 ? "ended" : "failed");
    }
    sending = false;
    next();
  }

  /** The same for a message with files, in the shape of an answer. */
  async function sendFiles(bubble, said) {
    const bar = bubble.querySelector("progress");
    const fields = { form_token: document.querySelector("input[name=form_token]").value, client_id: bubble.dataset.client, text: said };
    const { status, body } = await samtalFiles.send(fields, bubble.files, (part) => (bar.value = part));
    if (body.said) bubble.querySelector("[data-failed]").firstChild.textContent = `${body.said} `;
    return { status, ok: status === 200, json: () => body };
  }

  /** The committed message takes the place of the one on its way, whichever of answer and stream comes first. */
  function settle(committed) {
    const bubble = pending.firstElementChild;
    if (!bubble || !committed || !committed.classList.contains("mine")) return;
    const same = committed.dataset.client === bubble.dataset.client;
    if (same) bubble.remove();
    keep();
  }

  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });

  const grow = () => {
    text.rows = Math.min(8, Math.max(2, text.value.split("\n").length));
  };
  let told = 0;
  text.addEventListener("input", () => {
    grow();
    if (Date.now() - told < 3000 || !text.value) return;
    told = Date.now();
    samtal.post(form.dataset.typing).catch(() => {});
  });
  grow();

  for (const one of JSON.parse(sessionStorage.getItem(outbox) ?? "[]")) {
    // It arrived after all, or somebody else has signed in here since.
    if (one.me !== form.dataset.me || log.querySelector(`[data-client="${CSS.escape(one.client)}"]`)) continue;
    state(add(one.client, one.text), one.state);
  }
  keep();
  if (pending.children.length > 0) toEnd();
  next();
  if (matchMedia("(min-width: 64rem)").matches) text.focus();
})();
