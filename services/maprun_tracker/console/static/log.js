// What was done in this browser: the newest acts, kept in it alone.
import { html } from "./html.js";
import { moment } from "./words.js";

const KEY = "acts";
const ACTS_MAX = 100;

/** Writes down an act: its name, what it was done to, what it said. */
export function keepAct(title, what, said) {
  const acts = [{ at: Date.now() / 1000, title, what, said, where: location.hash }, ...keptActs()].slice(0, ACTS_MAX);
  try {
    localStorage.setItem(KEY, JSON.stringify(acts));
  } catch {
    // a browser that keeps nothing shows no acts
  }
}

/** The newest first. */
export function keptActs() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

export function Acts() {
  const acts = keptActs();
  if (acts.length === 0) return html`<p class="quiet">Nothing yet. What is started, stopped, redriven or changed in this browser stands here afterwards.</p>`;
  return html`<ol class="events">${acts.map((act, place) => html`<li key=${place}>
    <time>${moment(act.at)}</time> <strong>${act.title}</strong> <a href=${act.where}>${act.what}</a> <span class="quiet">${act.said}</span></li>`)}</ol>`;
}
