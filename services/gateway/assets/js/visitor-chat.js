// A visitor's conversation. What is written stands in an outbox until the services have said that they have it: each message is
// sending, failed or sent, and keeps its id however often it is sent, so that it arrives once. The outbox and what is being
// written survive a reload (sessionStorage, this tab only). Without this script the page's form does the same, one page at a time.
(() => {
  "use strict";
  const log = document.querySelector("[data-live]");
  const form = document.querySelector(".composer");
  const outbox = document.getElementById("outbox");
  const away = document.getElementById("away");
  const state = document.getElementById("state");
  const typing = document.getElementById("typing");
  const safety = document.getElementById("safety");
  const base = log.dataset.home;
  // A form that was refused has left its own address, to which nobody can come back.
  if (location.pathname !== base) history.replaceState(null, "", base);
  const key = `samtal-${log.dataset.case}`;
  const token = () => document.querySelector("input[name=form_token]").value;

  const store = {
    get(name) {
      try { return JSON.parse(sessionStorage.getItem(`${key}-${name}`)); } catch { return null; }
    },
    set(name, value) {
      try {
        if (value === null || value.length === 0) sessionStorage.removeItem(`${key}-${name}`);
        else sessionStorage.setItem(`${key}-${name}`, JSON.stringify(value));
      } catch { /* a browser that keeps nothing */ }
    },
  };
  const id = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

  // --- what is on its way -------------------------------------------------------------------------------------------
  /** {client, text, files?, state: "sending" | "failed"} in the order of writing. Files are in this page only: a reload forgets them. */
  const waiting = (store.get("outbox") ?? []).map((one) => ({ ...one, state: "sending" }));
  /** Files that were refused, each with why; what was written after them goes on. */
  const refused = [];
  let busy = false;
  let wait = 1000;
  let timer = 0;

  function keep() {
    store.set("outbox", waiting.filter((one) => !one.files).map(({ client, text }) => ({ client, text })));
    draw();
  }

  function draw() {
    outbox.hidden = waiting.length + refused.length === 0;
    const known = new Map([...outbox.children].map((item) => [item.dataset.client, item]));
    for (const one of [...refused, ...waiting]) {
      const item = known.get(one.client) ?? made(one);
      known.delete(one.client);
      if (item.dataset.state !== one.state) {
        item.dataset.state = one.state;
        item.className = `bubble mine ${one.state}`;
        item.querySelector(".state").textContent = one.said ?? outbox.dataset[one.state];
        for (const button of item.querySelectorAll("button")) button.remove();
        if (one.state === "failed" && one.files) item.append(button(samtalFiles.drop, () => forget(one)));
        if (one.state === "failed" && !one.said) {
          item.append(button(outbox.dataset.retry, () => flush()));
        }
      }
      if (!item.isConnected) outbox.append(item);
    }
    for (const gone of known.values()) gone.remove();
  }

  function made(one) {
    const item = document.createElement("li");
    item.dataset.client = one.client;
    for (const [name, text] of [["who", outbox.dataset.me], ["text", one.text], ["state", ""]]) {
      item.append(Object.assign(document.createElement("p"), { className: name, textContent: text }));
    }
    if (one.files) item.querySelector(".state").before(...samtalFiles.shown(one.files));
    return item;
  }

  function button(text, act) {
    const made = Object.assign(document.createElement("button"), { type: "button", className: "button quiet", textContent: text });
    made.addEventListener("click", act);
    return made;
  }

  /** Files that are not to be sent after all. What was written with them can be written again. */
  function forget(one) {
    for (const list of [waiting, refused]) if (list.includes(one)) list.splice(list.indexOf(one), 1);
    const field = form?.querySelector("textarea");
    if (field && !field.value && one.text) {
      field.value = one.text;
      store.set("draft", one.text);
    }
    keep();
    flush();
    field?.focus();
  }

  /** It is in the log: whoever told so first. */
  function arrived(client) {
    const at = waiting.findIndex((one) => one.client === client);
    if (at < 0) return;
    waiting.splice(at, 1);
    keep();
  }

  async function flush() {
    clearTimeout(timer);
    if (busy) return;
    busy = true;
    for (const one of waiting) one.state = "sending";
    keep();
    while (waiting.length > 0) {
      const one = waiting[0];
      const verdict = await send(one);
      if (verdict === "sent") {
        wait = 1000;
        arrived(one.client);
        continue;
      }
      if (verdict === "never" && one.said) {
        refused.push(...waiting.splice(0, 1));
        one.state = "failed";
        keep();
        continue;
      }
      for (const each of waiting) each.state = "failed";
      keep();
      if (verdict === "later") {
        timer = setTimeout(flush, wait);
        wait = Math.min(wait * 2, 30000);
      }
      break;
    }
    busy = false;
  }

  async function send(one) {
    const { client, text } = one;
    if (one.files) return sendFiles(one);
    try {
      const answer = await fetch(base, {
        method: "POST",
        headers: { accept: "application/json" },
        body: new URLSearchParams({ form_token: token(), client_id: client, text }),
        signal: AbortSignal.timeout(12000),
      });
      if (answer.ok) {
        const { seq, html, safety: notice } = await answer.json();
        show(seq, html);
        if (notice) warn(notice, true);
        return "sent";
      }
      if (answer.status === 403 && (await renewed())) return "later";
      if (answer.status === 409) refresh();
      return answer.status >= 500 || answer.status === 429 ? "later" : "never";
    } catch {
      return "later";
    }
  }

  async function sendFiles(one) {
    const bar = outbox.querySelector(`[data-client="${one.client}"] progress`);
    const fields = { form_token: token(), client_id: one.client, text: one.text };
    const { status, body } = await samtalFiles.send(fields, one.files, (part) => (bar.value = part));
    if (status === 200) {
      show(body.seq, body.html);
      if (body.safety) warn(body.safety, true);
      return "sent";
    }
    if (status === 403 && (await renewed().catch(() => false))) return "later";
    if (status === 409) refresh();
    if (status === 0 || status >= 500 || status === 429 || status === 403) return "later";
    one.said = body.said ?? outbox.dataset.failed;
    return "never";
  }

  /** Form tokens end; a fresh page has a fresh one. */
  async function renewed() {
    const page = await (await fetch(base, { signal: AbortSignal.timeout(12000) })).text();
    const fresh = new DOMParser().parseFromString(page, "text/html").querySelector("input[name=form_token]");
    if (!fresh) return false;
    for (const field of document.querySelectorAll("input[name=form_token]")) field.value = fresh.value;
    return true;
  }

  /** A message into its place. */
  function show(seq, html) {
    if (document.getElementById(`m-${seq}`)) return;
    const next = [...log.children].find((item) => Number(item.id.slice(2)) > seq);
    if (next) next.insertAdjacentHTML("beforebegin", html);
    else log.insertAdjacentHTML("beforeend", html);
  }

  // Whom to call, in the row at the top. Folded up it stays so, until there are new signs of danger.
  const calls = document.getElementById("calls");
  const dangers = () => [...log.querySelectorAll("[data-danger]")].at(-1)?.id ?? "";
  const links = (part) => [...part.querySelectorAll("a.call")];
  const called = (part) => links(part).map((link) => link.href).join();
  calls.open = calls.hidden || store.get("calls") !== dangers();
  calls.addEventListener("toggle", () => !calls.hidden && store.set("calls", calls.open ? null : dangers()));

  /** `told`: what the answer to one's own words says of who was alerted, which nobody else knows. */
  function warn(html, told = false) {
    const part = document.createElement("div");
    part.innerHTML = html;
    if (links(part).length === 0) return;
    const same = called(part) === called(safety);
    if (same && told) safety.querySelector(".told").textContent = part.querySelector(".told").textContent;
    if (!same) safety.replaceChildren(...part.childNodes);
    calls.querySelector("p").replaceChildren(...links(safety).map((link) => link.cloneNode(true)));
    calls.hidden = false;
    calls.open = true;
    // Whoever has just told of it reads the whole notice first; whoever reads elsewhere is not moved away.
    if (told && !same) safety.scrollIntoView({ block: "start" });
  }

  /** Another tab, or another device, has told of danger. */
  async function renewSafety(tries = 5) {
    try {
      const answer = await fetch(`${base}/safety`, { signal: AbortSignal.timeout(12000) });
      if (answer.ok) return warn(await answer.text());
    } catch { /* the line in the conversation has the numbers meanwhile */ }
    if (tries > 0) setTimeout(() => renewSafety(tries - 1), 2000);
  }

  if (form) {
    const field = form.querySelector("textarea");
    if (field.value) store.set("draft", field.value);
    else field.value = store.get("draft") ?? "";
    // A text that the page's form could not send keeps the id that it was tried with.
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = field.value.trim();
      const files = globalThis.samtalFiles?.take() ?? [];
      if (!text && files.length === 0) return field.focus();
      waiting.push({ client: id(), text, state: "sending", ...(files.length > 0 && { files }) });
      field.value = "";
      store.set("draft", null);
      keep();
      flush();
      field.focus();
    });
    let told = 0;
    field.addEventListener("input", () => {
      store.set("draft", field.value);
      const now = Date.now();
      if (now - told < 3000 || !field.value) return;
      told = now;
      fetch(`${base}/typing`, { method: "POST", body: new URLSearchParams({ form_token: token() }) }).catch(() => {});
    });
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
  }
  if (waiting.length > 0) flush();

  // --- what comes -----------------------------------------------------------------------------------------------------
  let fades = 0;
  let kind = state.firstElementChild?.dataset.kind;

  const near = () => innerHeight + scrollY > document.documentElement.scrollHeight - 400;
  log.addEventListener("samtal:message", (event) => {
    for (const one of log.querySelectorAll("[data-client]")) arrived(one.dataset.client);
    // A line of Samtal's own ends nobody's writing.
    if (event.detail.includes('class="bubble theirs"')) typing.textContent = "";
    if (event.detail.includes("data-renews")) renewTransfer();
    if (event.detail.includes("data-danger")) renewSafety();
    if (near()) (form ?? log).scrollIntoView({ block: "end" });
  });
  log.addEventListener("samtal:typing", () => {
    typing.textContent = typing.dataset.said;
    clearTimeout(fades);
    fades = setTimeout(() => (typing.textContent = ""), 5000);
  });
  log.addEventListener("samtal:away", () => (away.hidden = false));
  log.addEventListener("samtal:caught-up", () => {
    away.hidden = navigator.onLine;
    if (waiting.length > 0) flush();
    refresh();
  });
  log.addEventListener("samtal:case", () => {
    refresh();
    renewTimes();
  });
  log.addEventListener("samtal:end", (event) => {
    if (["gone", "signed-out"].includes(event.detail)) reload();
  });
  addEventListener("offline", () => (away.hidden = false));
  addEventListener("online", () => flush());

  /** A form of the page is on its way to the next one. */
  let leaving = false;
  addEventListener("submit", (event) => (leaving ||= !event.defaultPrevented));
  addEventListener("pageshow", () => (leaving = false));

  /**
   * Never in the way of somebody who leaves or answers: to leave ends the session, to go on elsewhere the conversation, and the stream says
   * so before the other page is there.
   */
  const reload = () => leaving || document.documentElement.classList.contains("gone") || location.reload();

  /** What is proposed to the visitor now. */
  async function renewTransfer() {
    try {
      const answer = await fetch(`${base}/transfer`, { signal: AbortSignal.timeout(12000) });
      if (answer.ok) document.getElementById("transfer").innerHTML = await answer.text();
    } catch { /* a reload says it too */ }
  }

  /** Times that are held or booked. What is just being answered stays as it is. */
  const times = document.getElementById("times");
  async function renewTimes() {
    try {
      const answer = await fetch(`${base}/times`, { signal: AbortSignal.timeout(12000) });
      if (!answer.ok) return;
      const part = document.createElement("div");
      part.innerHTML = await answer.text();
      if (part.textContent.trim() === times.textContent.trim() || times.contains(document.activeElement)) return;
      times.replaceChildren(...part.childNodes);
    } catch { /* a reload says it too */ }
  }

  /** How things stand; a conversation that ended or goes on again is another page. */
  async function refresh(still = false) {
    try {
      const answer = await fetch(`${base}/state${still ? `?waits=${encodeURIComponent(state.dataset.door)}` : ""}`, { signal: AbortSignal.timeout(12000) });
      if (!answer.ok) return;
      const html = await answer.text();
      const now = html.match(/data-kind="(\w+)"/)?.[1];
      if ((now === "closed") !== (kind === "closed")) return reload();
      const giveUp = document.getElementById("give-up");
      if (giveUp) giveUp.hidden = !["waiting", "left"].includes(now);
      kind = now;
      // Said again only if it is something else.
      if (state.innerHTML.trim() !== html.trim()) state.innerHTML = html;
    } catch { /* the next one will do */ }
  }
  setInterval(() => kind === "waiting" && !document.hidden && refresh(true), 15000);
})();
