// Long lists: a page at a time from the server, never more in the document than the reader asked for.
import { html, useEffect, useState } from "./html.js";
import { number } from "./words.js";

const NAMED_ROWS = 50;
const LOOKED_PAGES_MAX = 10;
export const LOOKED_ROWS = 1000; // of a page that is looked through for names: the most that AWS gives

const BLANK = { rows: undefined, next: undefined, pages: 0, looked: 0, error: undefined, at: 0 };

/**
 * The rows of `load(token, signal)` → {rows, next, looked}, from the first page on; `more` fetches the next one. `keys` name
 * what is listed: others begin anew. With `everyMs` the first page comes again after so long, until a second is shown.
 */
export function usePages(load, keys, everyMs = 0) {
  const now = keys.join("\n");
  const [state, setState] = useState({ ...BLANK, of: now });
  const [asked, ask] = useState({ token: undefined, of: now });
  const mine = state.of === now ? state : BLANK;
  const token = asked.of === now ? asked.token : undefined;
  useEffect(() => {
    const control = new AbortController();
    let timer = 0;
    const round = async () => {
      if (!document.hidden) await loaded();
      if (everyMs && token === undefined && !control.signal.aborted) timer = setTimeout(round, everyMs);
    };
    const loaded = async () => {
      try {
        const { rows, next, looked = 0 } = await load(token, control.signal);
        if (control.signal.aborted) return;
        setState((before) => {
          const had = token !== undefined && before.of === now ? before : { rows: [], pages: 0, looked: 0 };
          return { rows: [...had.rows, ...rows], next, pages: had.pages + 1, looked: had.looked + looked, error: undefined, at: Date.now(), of: now };
        });
      } catch (error) {
        if (!control.signal.aborted) setState((before) => ({ ...(before.of === now ? before : BLANK), error, of: now }));
      }
    };
    round();
    return () => {
      control.abort();
      clearTimeout(timer);
    };
  }, [now, asked, everyMs]);
  return { ...mine, more: () => ask({ token: mine.next, of: now }), first: () => ask({ token: undefined, of: now }) };
}

/**
 * A `load` for usePages that gives those rows alone whose `name` holds `text`, capitals or not. Some pages of the server are
 * looked through at a time, each of `page(token, signal)`.
 */
export function named(text, page) {
  const wanted = text.toLowerCase();
  return async (token, signal) => {
    const rows = [];
    let looked = 0;
    let next = token;
    for (let pages = 0; pages < LOOKED_PAGES_MAX && rows.length < NAMED_ROWS; pages += 1) {
      const found = await page(next, signal);
      looked += found.rows.length;
      rows.push(...found.rows.filter((row) => row.name.toLowerCase().includes(wanted)));
      next = found.next;
      if (!next) break;
    }
    return { rows, next, looked };
  };
}

/** A field for such a text. `at(text)` is the address of the list with it. */
export function NameSearch({ what, text, at, list }) {
  const search = (event) => {
    event.preventDefault();
    location.hash = at(new FormData(event.target).get("text").trim());
  };
  return html`<form key=${text} class="search" role="search" aria-label=${`Search ${what}`} onSubmit=${search}>
      <label>Name <small>or a part of it</small> <input name="text" type="search" maxlength="256" defaultValue=${text ?? ""} /></label>
      <button type="submit">Search</button>
      ${text && html`<a href=${at("")}>Search for nothing</a>`}
    </form>
    ${text && list.rows && html`<p class="quiet" role="status">${number(list.looked)} ${what} looked at${list.next ? "; there are more" : ", all there are"}.</p>`}`;
}

/** What stands under such a list: that there is more, or why it is not here. */
export function More({ list }) {
  if (list.error) {
    return html`<div class="failure" role="alert"><strong>${list.error.code ?? list.error.name}</strong> <span>${list.error.message}</span>
      <button type="button" onClick=${list.first}>Try again</button></div>`;
  }
  if (list.rows === undefined) return html`<p class="quiet" aria-busy="true">Loading …</p>`;
  return list.next ? html`<button type="button" onClick=${list.more}>Show more</button>` : null;
}
