// Keeps the parts of a page that say so up to date. <ol data-live="/live/case/ID" data-audience="visitor" data-case="ID" data-after="7">
// Every event is also given to the element as `samtal:EVENT`, with `detail` its data. Without this script the page works; it does not move.
(() => {
  "use strict";
  const FOR_GOOD = ["signed-out", "gone"];
  // A living stream beats every 15 s. A line that went silent, as on a phone that slept, says nothing of its own accord.
  const SILENCE = 40000;

  class Live {
    constructor(element) {
      this.element = element;
      this.after = Number(element.dataset.after || 0);
      this.wait = 500;
      this.open();
    }

    async open() {
      const { live, audience, case: id } = this.element.dataset;
      try {
        const body = new URLSearchParams({ form_token: document.querySelector("input[name=form_token]").value, audience, stream: live });
        if (id) body.set("case", id);
        // Inside another site's frame everything lies below /w.
        const answer = await fetch(`${live.startsWith("/w/") ? "/w" : ""}/live/ticket`, { method: "POST", body });
        if (answer.status === 401 || answer.status === 404) return this.tell("end", answer.status === 401 ? "signed-out" : "gone");
        if (!answer.ok) throw new Error(answer.status);
        const { ticket } = await answer.json();
        const asked = new URLSearchParams({ ticket, after: this.after });
        if (this.element.dataset.follow) asked.set("follow", this.element.dataset.follow);
        this.listen(new EventSource(`${live}?${asked}`));
      } catch {
        this.again();
      }
    }

    listen(source) {
      let over = false;
      const cut = () => {
        clearTimeout(this.silence);
        source.close();
        if (!over) this.again();
        over = true;
      };
      const heard = () => {
        clearTimeout(this.silence);
        this.silence = setTimeout(cut, SILENCE);
      };
      heard();
      source.addEventListener("beat", heard);
      this.cut = cut;
      source.onopen = () => {
        heard();
        this.tell("open", "");
      };
      for (const event of ["message", "typing", "case", "caught-up", "offered", "offer-ended", "alert", "turned-down", "news", "end"]) {
        source.addEventListener(event, (one) => {
          this.wait = 500;
          heard();
          if (event === "message") this.show(one);
          if (event === "end") {
            over = true;
            clearTimeout(this.silence);
            source.close();
            // What is shown is not there any more: the service went back to a backup.
            if (one.data === "anew") return location.reload();
            if (!FOR_GOOD.includes(one.data)) this.again();
          }
          this.tell(event, one.data);
        });
      }
      // A ticket opens one stream: whoever is cut off asks for another.
      source.onerror = cut;
    }

    again() {
      setTimeout(() => this.open(), this.wait * (0.5 + Math.random()));
      this.wait = Math.min(this.wait * 2, 20000);
      this.tell("away", "");
    }

    show(event) {
      const seq = Number(event.lastEventId);
      if (seq <= this.after) return;
      this.after = seq;
      if (document.getElementById(`m-${seq}`)) return;
      // An answer to a post may have shown a later one already.
      const next = [...this.element.children].find((item) => Number(item.id.slice(2)) > seq);
      if (next) next.insertAdjacentHTML("beforebegin", event.data);
      else this.element.insertAdjacentHTML("beforeend", event.data);
    }

    tell(event, detail) {
      this.element.dispatchEvent(new CustomEvent(`samtal:${event}`, { detail, bubbles: true }));
    }
  }

  for (const element of document.querySelectorAll("[data-live]")) new Live(element);
})();
