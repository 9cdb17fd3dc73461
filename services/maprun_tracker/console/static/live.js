// Views that follow what happens: asked again and again while somebody looks, and honest about how old they are.
import { html, useCallback, useEffect, useRef, useState } from "./html.js";
import { ago } from "./words.js";

const AGAIN_MS = 2000;
const AGAIN_MS_MAX = 15000;
const STALE_MS = 3 * AGAIN_MS;

/**
 * What `load(signal)` gives, asked again every `everyMs` until `ended(data)`. After a failure the last answer stays and
 * the waits grow; a page in the background asks nothing. `keys` name what is asked for: others begin anew.
 */
export function useLive(load, keys, ended = () => false, everyMs = AGAIN_MS) {
  const [state, setState] = useState({ data: undefined, error: undefined, at: 0 });
  const again = useRef(() => {});
  useEffect(() => {
    const control = new AbortController();
    let timer = 0;
    let wait = everyMs;
    let data;
    setState({ data: undefined, error: undefined, at: 0 });
    const round = async () => {
      clearTimeout(timer);
      try {
        data = await load(control.signal);
        wait = everyMs;
        setState({ data, error: undefined, at: Date.now() });
      } catch (error) {
        if (control.signal.aborted) return;
        wait = Math.min(2 * wait, AGAIN_MS_MAX);
        setState((before) => ({ ...before, error }));
      }
      if (control.signal.aborted || document.hidden || (data !== undefined && ended(data))) return;
      timer = setTimeout(round, wait);
    };
    const seen = () => !document.hidden && !(data !== undefined && ended(data)) && round();
    again.current = round;
    document.addEventListener("visibilitychange", seen);
    round();
    return () => {
      control.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, keys);
  return { ...state, again: useCallback(() => again.current(), []) };
}

/** "Last update 3 s ago", with the reason when it is older than it should be; nothing of what is `over`. */
export function Age({ live, over }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  if (!live.at) return null;
  const old = Date.now() - live.at;
  const stale = live.error !== undefined || (!over && old > STALE_MS);
  const reason = live.error ? `: ${live.error.message}` : "";
  if (over && !live.error) return null;
  return html`<span class=${stale ? "age stale" : "age"} role=${stale ? "status" : undefined}>
    Last update ${ago(old / 1000)}${reason}
  </span>`;
}

/** What stands while there is nothing to show yet: that it is coming, or why not. Else its children. */
export function Waiting({ live, children }) {
  if (live.data !== undefined) return children;
  if (live.error === undefined) return html`<p class="quiet" aria-busy="true">Loading …</p>`;
  return html`<div class="failure" role="alert">
    <strong>${live.error.code ?? live.error.name}</strong> <span>${live.error.message}</span>
    <button type="button" onClick=${live.again}>Try again</button>
  </div>`;
}
