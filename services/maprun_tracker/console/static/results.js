// The result files of a Map Run: where they are, how large, and how their records begin.
import { ask } from "./api.js";
import { html } from "./html.js";
import { useLive } from "./live.js";
import { Copy, Table } from "./parts.js";
import { number, pretty, shellWord, size } from "./words.js";

/** `of` changes where other results are to be looked for: with each redrive. */
export function Results({ arn, of }) {
  const live = useLive((signal) => ask("results", arn, {}, signal), ["results", arn, of], () => true);
  const results = live.data;
  if (!results?.manifestKey) return null;
  const rows = results.files.map((file) => ({ key: file.key, cells: cellsOf(results.bucket, file) }));
  const more = results.filesInAll - rows.length;
  return html`<h2>Results</h2>
    <p>Manifest: <${Address} bucket=${results.bucket} objectKey=${results.manifestKey} /></p>
    ${results.error && html`<div class="failure" role="alert">${results.error}</div>`}
    ${rows.length > 0 && html`<${Table} caption="Result files" columns=${["File", "Children that", "Size", "First records"]} rows=${rows} />`}
    ${more > 0 && html`<p class="quiet">${number(more)} more files stand in the manifest.</p>`}`;
}

const KINDS = { SUCCEEDED: "succeeded", FAILED: "did not succeed", PENDING: "never ran" };

function cellsOf(bucket, file) {
  return [
    html`<${Address} bucket=${bucket} objectKey=${file.key} />`,
    KINDS[file.status] ?? file.status,
    size(file.size),
    file.firstRecords?.length ? html`<details><summary>${number(file.firstRecords.length)} records</summary>
      ${file.firstRecords.map((record, place) => html`<pre key=${place} tabindex="0">${pretty(record)}</pre>`)}</details>` : "",
  ];
}

function Address({ bucket, objectKey }) {
  const address = `s3://${bucket}/${objectKey}`;
  return html`<code>${address}</code> <${Copy} text=${address} name="Copy address" /> <${Copy} text=${`aws s3 cp ${shellWord(address)} -`} name="Copy as CLI" />`;
}
