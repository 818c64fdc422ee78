// What all pages of staff share: parts that are replaced without a reload, the end of the session, keys, drafts, unread counts.
// Without it every link and form works.
(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  const BACKGROUND = { "x-samtal-background": "1" };
  const token = () => document.querySelector("input[name=form_token]").value;

  // --- Parts of a page -------------------------------------------------------------------------------------------------
  const plain = (element) => element.outerHTML.replace(/name="(form_token|client_id)" value="[^"]*"/g, "");
  const controls = (element) => [...element.querySelectorAll("form :is(textarea, select, input:not([type=hidden]))")];
  const ticked = (control) => control.type === "radio" || control.type === "checkbox";
  /** The same control of the same form, in the old part and in the new one. */
  const named = (control) => [control.form.getAttribute("action"), control.name, ticked(control) && control.value].join(" ");
  const changed = (control) => {
    if (ticked(control)) return control.checked !== control.defaultChecked;
    if (control.tagName === "SELECT") return [...control.options].some((one) => one.selected !== one.defaultSelected);
    return control.value !== control.defaultValue;
  };

  // A button that is replaced between press and release was never clicked: parts wait until nothing is held down.
  let held = false;
  let release = () => {};
  const hold = (on) => {
    held = on;
    // After the click that the release makes.
    if (!on) setTimeout(() => release());
  };
  addEventListener("pointerdown", () => hold(true), true);
  for (const event of ["pointerup", "pointercancel", "dragend"]) addEventListener(event, () => hold(false), true);
  addEventListener("blur", () => hold(false));
  addEventListener("keydown", (event) => event.key === " " && event.target.matches?.("button, summary, [type=checkbox], [type=radio]") && hold(true), true);
  addEventListener("keyup", () => hold(false), true);
  const released = () => held && new Promise((done) => (release = done));

  /** Takes the parts with these ids from another document. What somebody is writing, has chosen, has opened and looks at stays. */
  function swap(other, ids, sent) {
    for (const id of ids) {
      const [mine, theirs] = [$(id), other.getElementById(id)];
      if (!mine || !theirs) continue;
      const next = document.importNode(theirs, true);
      for (const old of [mine, ...mine.querySelectorAll("details[id]")]) {
        const same = old.id === next.id ? next : next.querySelector(`#${CSS.escape(old.id)}`);
        if (old.tagName === "DETAILS" && same) same.open = old.open;
      }
      if (plain(mine) === plain(next)) continue;
      const written = controls(mine).filter((control) => changed(control) && !sent?.contains(control));
      const active = mine.contains(document.activeElement) ? document.activeElement : null;
      const place = active && { id: active.id, key: active.dataset.key, href: active.getAttribute("href"), item: active.closest("li")?.id };
      mine.replaceWith(next);
      for (const old of written) {
        const same = controls(next).find((control) => named(control) === named(old));
        if (same && ticked(old)) same.checked = old.checked;
        else if (same && [...(same.options ?? [old])].some((one) => one.value === old.value)) same.value = old.value;
      }
      if (place) {
        const within = (place.item && $(place.item)) || next;
        const wanted = (place.id && $(place.id)) || (place.key && within.querySelector(`[data-key="${place.key}"]`)) || (place.href && within.querySelector(`a[href="${place.href}"]`));
        (wanted || next.querySelector("a, button") || $("main")).focus({ preventScroll: true });
      }
    }
    document.dispatchEvent(new Event("samtal:swapped"));
  }

  const parse = (html) => new DOMParser().parseFromString(html, "text/html");
  // Beside others, the page around it has the session, the presence and the way out.
  const framed = top !== self;
  if (framed) for (const form of document.querySelectorAll("form[data-stay]")) form.target = "_self";
  const signIn = () => top.location.assign(`/sign-in?to=${encodeURIComponent(location.pathname)}`);

  // On the way to another page by a form; what this one shows may not be ours any more, and whoever goes elsewhere now goes without
  // its answer. Not for ever: a load can be stopped.
  let left = -Infinity;
  const leaving = () => Date.now() - left < 30_000;
  addEventListener("pageshow", () => (left = -Infinity));
  let asked = false;
  let again = false;
  /** Fetches this page anew, in the background, and takes these parts from it. Asked for meanwhile, it does so once more. */
  async function refresh(ids) {
    if (leaving()) return;
    if (asked) return void (again = true);
    asked = true;
    try {
      const answer = await fetch(location.pathname, { headers: BACKGROUND });
      if (new URL(answer.url).pathname === "/sign-in") return signIn();
      const text = answer.ok && (await answer.text());
      await released();
      if (text && !leaving()) swap(parse(text), ids);
    } catch {
      // The stream says when the server is back, and then this is asked again.
    } finally {
      asked = false;
      if (again) {
        again = false;
        refresh(ids);
      }
    }
  }

  const post = (address, fields = {}, headers = {}) =>
    fetch(address, { method: "POST", headers, body: new URLSearchParams({ form_token: token(), ...fields }) });

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.id === "sign-out") sessionStorage.clear();
    if (form.method === "post" && !form.dataset.swap && !event.defaultPrevented) left = Date.now();
    if (form.method !== "post" || !form.dataset.swap) return;
    event.preventDefault();
    if (form.ariaBusy === "true") return;
    form.ariaBusy = "true";
    $("lost").hidden = true;
    try {
      const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form, event.submitter)) });
      if (answer.status === 401) return signIn();
      if (!answer.ok) throw new Error(answer.status);
      if (new URL(answer.url).pathname !== location.pathname) return top.location.assign(answer.url);
      for (const field of form.querySelectorAll("[data-draft]")) sessionStorage.removeItem(draft(field));
      swap(parse(await answer.text()), form.dataset.swap.split(" "), form);
      lastKept = Date.now();
    } catch {
      $("lost").hidden = false;
    } finally {
      form.ariaBusy = "false";
    }
  });

  // --- The session -----------------------------------------------------------------------------------------------------
  const dialog = $("session");
  const ahead = Number(dialog.dataset.now) * 1000 - Date.now();
  let idle = Number(dialog.dataset.idle || Infinity) * 1000;
  let expires = Number(dialog.dataset.expires || Infinity) * 1000;
  let lastKept = Date.now();
  const WARN = 120_000;

  async function keep() {
    lastKept = Date.now();
    if (framed) return parent.samtal?.keep();
    try {
      const answer = await post("/staff/keep");
      if (answer.status === 401) return signIn();
      const kept = await answer.json();
      idle = (kept.idle_at ?? Infinity) * 1000;
      expires = (kept.expires_at ?? Infinity) * 1000;
      if (dialog.open && Math.min(idle, expires) - Date.now() - ahead > WARN) dialog.close();
    } catch {
      lastKept = 0;
    }
  }
  for (const event of ["keydown", "pointerdown"]) {
    document.addEventListener(event, () => !dialog.open && Date.now() - lastKept > 60_000 && keep(), { passive: true });
  }
  dialog.querySelector("[data-stay]").addEventListener("click", keep);
  dialog.addEventListener("cancel", keep);
  let warned = false;
  if (!framed) setInterval(() => {
    const end = Math.min(idle, expires);
    const left = end - Date.now() - ahead;
    if (left <= 0) return signIn();
    if (left > WARN) return void (warned = false);
    const final = expires <= idle;
    $("session-final").hidden = !final;
    dialog.querySelector("[data-stay]").hidden = final;
    const seconds = Math.ceil(left / 1000);
    dialog.querySelector("[data-left]").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    if (!warned) dialog.showModal();
    warned = true;
  }, 1000);

  // Who has a page open is there.
  const renew = () => post("/staff/presence/renew", {}, BACKGROUND).catch(() => {});
  if (!framed) {
    setTimeout(renew, 1000);
    setInterval(renew, 180_000);
  }

  // --- Keys ------------------------------------------------------------------------------------------------------------
  const help = $("help");
  const on = $("keys-on");
  on.checked = localStorage.getItem("samtal-keys") !== "off";
  on.addEventListener("change", () => localStorage.setItem("samtal-keys", on.checked ? "on" : "off"));
  $("help-open").hidden = false;
  $("help-open").addEventListener("click", () => help.showModal());
  const visible = (element) => element.getClientRects().length > 0;

  function move(step) {
    const rows = [...document.querySelectorAll("[data-row]")].filter(visible);
    const at = rows.indexOf(document.activeElement);
    (rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : at + step] || document.activeElement).focus();
  }

  function reach(key) {
    const found = [...document.querySelectorAll(`[data-key="${key}"]`)].find((one) => visible(one) || one.closest("details:not([open])"));
    if (!found) return false;
    const part = found.closest("details");
    if (part) part.open = true;
    found.scrollIntoView({ block: "nearest" });
    if (found.matches("a, button")) found.click();
    else found.focus();
    return true;
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const field = event.target.closest?.("input:not([type=checkbox]), textarea, select");
    if (event.key === "Escape" && field) return field.blur();
    if (field || !on.checked) return;
    const key = event.key.toLowerCase();
    if (key === "?") help.showModal();
    else if (key === "j") move(1);
    else if (key === "k") move(-1);
    else if (key === "/") reach("r") || reach("f");
    else if (key === "n") top.location.assign("/staff/new");
    else if (key === "w" && $("text")) $("text").focus();
    else if (/^[1-9]$/.test(key)) document.querySelectorAll("#mine a[data-row]")[key - 1]?.click();
    else if (key === "l" && !reach("l")) top.location.assign("/staff");
    else if (!/^[a-z]$/.test(key) || !reach(key)) return;
    event.preventDefault();
  });

  // --- What somebody was writing, kept in this tab only ------------------------------------------------------------------
  const draft = (field) => `draft-${field.dataset.draft}`;
  for (const field of document.querySelectorAll("[data-draft]")) field.value ||= sessionStorage.getItem(draft(field)) || "";
  // On the document: parts of the page are replaced.
  document.addEventListener("input", ({ target }) => {
    if (!target.dataset?.draft) return;
    if (target.value) sessionStorage.setItem(draft(target), target.value);
    else sessionStorage.removeItem(draft(target));
  });

  const copies = () => {
    for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
  };
  copies();
  document.addEventListener("samtal:swapped", copies);
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (!button) return;
    const field = $(button.dataset.copy);
    field.select();
    await (navigator.clipboard?.writeText(field.value).catch(() => document.execCommand("copy")) ?? document.execCommand("copy"));
    // Keys work again: a field takes them for text.
    button.focus();
    $("copied").textContent = button.dataset.done;
  });

  // --- Unread messages: how far this browser has shown each conversation -------------------------------------------------
  const seen = (id) => Number(localStorage.getItem(`samtal-seen-${id}`) || 0);
  function see(id, seq) {
    if (seq > seen(id)) localStorage.setItem(`samtal-seen-${id}`, seq);
    badges();
  }
  const known = new Map();
  function badges() {
    for (const link of document.querySelectorAll("a[data-case]")) {
      const id = link.dataset.case;
      const count = Math.max(Number(link.dataset.seq), known.get(id) || 0) - seen(id);
      const badge = link.querySelector("[data-unread]");
      badge.hidden = count <= 0;
      badge.querySelector("b").textContent = count > 9 ? "9+" : count;
    }
  }
  document.addEventListener("samtal:swapped", badges);
  // Another tab, or a frame of this one, has shown more.
  addEventListener("storage", badges);
  document.addEventListener("samtal:news", (event) => {
    const [id, seq] = event.detail.split(" ");
    known.set(id, Math.max(known.get(id) || 0, Number(seq)));
    badges();
  });
  badges();

  // --- Offers: a sound if one wants it, and a number in the title ----------------------------------------------------------
  const title = document.title;
  const count = (offers) => (document.title = offers ? `(${offers}) ${title}` : title);
  function ring() {
    if (localStorage.getItem("samtal-sound") !== "on") return;
    const audio = new AudioContext();
    for (const [at, pitch] of [[0, 660], [0.18, 880]]) {
      const [tone, volume] = [audio.createOscillator(), audio.createGain()];
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.12, audio.currentTime + at);
      volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + at + 0.16);
      tone.connect(volume).connect(audio.destination);
      tone.start(audio.currentTime + at);
      tone.stop(audio.currentTime + at + 0.17);
    }
    setTimeout(() => audio.close(), 1000);
  }

  // --- Whether the page still hears the server ------------------------------------------------------------------------------
  let away;
  document.addEventListener("samtal:away", () => (away ??= setTimeout(() => $("away") && ($("away").firstElementChild.hidden = false), 3000)));
  document.addEventListener("samtal:open", () => {
    clearTimeout(away);
    away = undefined;
    if ($("away")) $("away").firstElementChild.hidden = true;
  });
  document.addEventListener("samtal:end", (event) => event.detail === "signed-out" && signIn());

  // On a phone the ways are one row that is wider than the screen.
  document.querySelector(".ways [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });

  globalThis.samtal = { refresh, post, see, ring, count, keep, signIn, leaving };
})();
