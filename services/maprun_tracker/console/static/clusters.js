// What the unsuccessful children of a Map Run ended with: counted part after part, the largest counts first.
import { ask } from "./api.js";
import { ActButton, RedriveChildren } from "./acts.js";
import { html, useEffect, useState } from "./html.js";
import { Status, Table } from "./parts.js";
import { childrenOf, moment, nameOf, number, percent } from "./words.js";

const SAMPLES_MAX = 3;
const ROWS_MAX = 100;

const keyOf = (cluster) => JSON.stringify([cluster.status, cluster.error ?? null, cluster.causePattern ?? null]);

/** The clusters of what was counted before and of one more part. */
export function summed(before, part) {
  const found = new Map(before.map((cluster) => [keyOf(cluster), cluster]));
  for (const cluster of part) {
    const had = found.get(keyOf(cluster));
    found.set(keyOf(cluster), !had ? cluster : {
      ...had,
      count: had.count + cluster.count,
      firstDate: Math.min(had.firstDate, cluster.firstDate),
      lastDate: Math.max(had.lastDate, cluster.lastDate),
      executionArns: [...had.executionArns, ...cluster.executionArns].slice(0, SAMPLES_MAX),
      ...(had.children ? { children: [...had.children, ...cluster.children] } : {}),
    });
  }
  return [...found.values()].sort((a, b) => b.count - a.count);
}

/**
 * `at(changed)` is an address of the Map Run. Counting begins when this is shown, and again when it is asked for. Of a run
 * that is `redrivable` clusters can be chosen, once all are counted.
 */
export function Clusters({ arn, lost, redrivable, at }) {
  const [round, again] = useState(0);
  const [chosen, choose] = useState(new Set());
  const [state, setState] = useState({ clusters: [], counted: 0, over: false, error: undefined });
  useEffect(() => {
    const control = new AbortController();
    const count = async () => {
      let clusters = [];
      let counted = 0;
      let token;
      setState({ clusters, counted, over: false, error: undefined });
      choose(new Set());
      try {
        do {
          const part = await ask("errors", arn, { nextToken: token, children: redrivable ? "true" : undefined }, control.signal);
          clusters = summed(clusters, part.clusters);
          counted += part.childrenCounted;
          token = part.nextToken;
          if (control.signal.aborted) return;
          setState({ clusters, counted, over: !token, error: undefined });
        } while (token);
      } catch (error) {
        if (!control.signal.aborted) setState({ clusters, counted, over: true, error });
      }
    };
    count();
    return () => control.abort();
  }, [arn, round, redrivable]);
  const { clusters, counted, over, error } = state;
  const wanted = clusters.filter((cluster) => chosen.has(keyOf(cluster)));
  const toggle = (key) => choose((before) => {
    const next = new Set(before);
    if (!next.delete(key)) next.add(key);
    return next;
  });
  const tick = (cluster) => html`<input type="checkbox" disabled=${!over} aria-label=${`Choose ${cluster.error ?? "no error"}: ${cluster.causePattern ?? "no cause"}`}
    checked=${chosen.has(keyOf(cluster))} onChange=${() => toggle(keyOf(cluster))} />`;
  const rows = clusters.slice(0, ROWS_MAX).map((cluster) => ({
    key: keyOf(cluster),
    cells: [...(redrivable ? [tick(cluster)] : []), ...cellsOf(cluster, counted, at)],
  }));
  const some = wanted.reduce((sum, cluster) => sum + cluster.count, 0);
  const more = clusters.length - rows.length;
  return html`<p class="quiet" role="status">${over ? "Counted" : "Counting"}: ${number(counted)} children that did not succeed${over ? "." : ` of ${number(lost)} …`}
      ${over && html` <button type="button" class="small" onClick=${() => again(round + 1)}>Count again</button>`}</p>
    ${some > 0 && html`<div class="chosen"><span role="status">${childrenOf(some)} chosen</span>
      <${ActButton} name="Redrive these" of=${(close) => html`<${RedriveChildren} run=${arn} children=${wanted.flatMap((cluster) => cluster.children)} count=${some}
        href=${at({ tab: "", redrive: "latest", status: "", text: "", error: "", cause: "", slow: "" })} onClose=${close} />`} /></div>`}
    ${error && html`<div class="failure" role="alert"><strong>${error.code ?? error.name}</strong> <span>${error.message} What was counted until then stands below.</span></div>`}
    ${(over || rows.length > 0) && html`<${Table} caption="What went wrong" columns=${[...(redrivable ? ["Choose"] : []), "Error and cause", "Children", "Status", "First and last", "For example"]} rows=${rows}
      empty="No child failed, timed out or was aborted." />`}
    ${more > 0 && html`<p class="quiet">${number(more)} kinds with fewer children are left out; <code>maprun errors --limit 0</code> shows all.</p>`}`;
}

function cellsOf(cluster, counted, at) {
  const all = { tab: "", status: cluster.status, error: cluster.error ?? "", cause: cluster.causePattern ?? "", text: "", slow: "", redrive: "" };
  return [
    html`<strong>${cluster.error ?? "No error"}</strong>${cluster.causePattern && html`<div class="cause">${cluster.causePattern}</div>`}`,
    html`<a href=${at(all)}>${number(cluster.count)}</a> <small>${percent(cluster.count / counted)}</small>`,
    html`<${Status} of=${cluster.status} />`,
    html`${moment(cluster.firstDate)}<div>${moment(cluster.lastDate)}</div>`,
    cluster.executionArns.map((child) => html`<div key=${child}><a href=${at({ child })}>${nameOf(child)}</a></div>`),
  ];
}
