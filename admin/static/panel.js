"use strict";
// The live tail. Everything else works without scripts.
(() => {
  const button = document.getElementById("live");
  const rows = document.getElementById("rows");
  if (!button || !rows || !window.EventSource) return;
  const state = document.getElementById("live-state");
  const most = 500; // rows that are kept
  const seen = new Set([...rows.children].map((row) => row.dataset.id));
  let source = null;
  let came = 0;

  const arrive = (message) => {
    const holder = document.createElement("template");
    holder.innerHTML = message.data; // made and escaped by the panel itself
    const row = holder.content.firstElementChild;
    if (!row || seen.has(row.dataset.id)) return;
    seen.add(row.dataset.id);
    row.classList.add("fresh");
    rows.prepend(row);
    const nothing = document.getElementById("nothing");
    if (nothing) nothing.remove();
    while (rows.children.length > most) {
      seen.delete(rows.lastElementChild.dataset.id);
      rows.lastElementChild.remove();
    }
    came++;
    state.textContent = came === 1 ? "1 new event" : came + " new events";
  };

  const stop = (text) => {
    if (source) source.close();
    source = null;
    button.setAttribute("aria-pressed", "false");
    state.textContent = text;
  };

  const start = () => {
    source = new EventSource(button.dataset.stream);
    source.onmessage = arrive;
    source.onopen = () => { if (came === 0) state.textContent = "watching"; };
    source.onerror = () => { if (source && source.readyState === EventSource.CLOSED) stop("The tail ended; try again later."); };
    button.setAttribute("aria-pressed", "true");
  };

  button.hidden = false;
  button.addEventListener("click", () => {
    if (source) stop("");
    else if (button.dataset.newest) location.assign(button.dataset.newest + "#live"); // new events belong on the first page
    else start();
  });
  window.addEventListener("pagehide", () => stop(""));
  if (location.hash === "#live" && !button.dataset.newest) start();
})();
