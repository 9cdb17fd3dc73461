// The state machines, and one machine with its executions and its definition.
import { call } from "./api.js";
import { write } from "./address.js";
import { ActButton, Start } from "./acts.js";
import { Graph } from "./graph.js";
import { html } from "./html.js";
import { Age, useLive, Waiting } from "./live.js";
import { More, usePages } from "./pages.js";
import { Choices, Facts, Json, Status, Table } from "./parts.js";
import { duration, moment } from "./words.js";

const ROWS = 50;
const AGAIN_MS = 3000;
const STATUSES = ["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"];

/** All machines. */
export function Machines() {
  const list = usePages(async (nextToken, signal) => {
    const page = await call("ListStateMachines", { maxResults: ROWS, nextToken }, signal);
    return { rows: page.stateMachines, next: page.nextToken };
  }, ["machines"]);
  const rows = (list.rows ?? []).map((machine) => ({
    key: machine.stateMachineArn,
    cells: [
      html`<a href=${write("machine", machine.stateMachineArn)}>${machine.name}</a>`,
      machine.type.toLowerCase(),
      moment(machine.creationDate),
    ],
  }));
  return html`<h1>State machines</h1>
    ${list.rows && html`<${Table} caption="State machines" columns=${["Name", "Type", "Made"]} rows=${rows}
      empty="There is no state machine yet. maprun deploy FILE makes one, and so does any tool that speaks to AWS." />`}
    <${More} list=${list} />`;
}

/** One machine. `query.status` narrows its executions; `query.tab` is definition or nothing. */
export function Machine({ arn, query }) {
  const live = useLive((signal) => call("DescribeStateMachine", { stateMachineArn: arn }, signal), [arn], () => true);
  const machine = live.data;
  const at = (tab, status) => write("machine", arn, { tab, status });
  const definition = query.tab === "definition";
  return html`<h1>${machine?.name ?? "State machine"}</h1>
    <${Waiting} live=${live}>
      <div class="acts">
        <${ActButton} name="Start an execution" when=${machine?.type === "STANDARD"} of=${(close) => html`<${Start} machineArn=${arn} onClose=${close} />`} />
      </div>
      <${Facts} of=${[
        ["ARN", html`<code>${arn}</code>`],
        ["Type", machine?.type.toLowerCase()],
        ["Role", machine && html`<code>${machine.roleArn}</code>`],
        ["Made", moment(machine?.creationDate)],
        ["Description", machine?.description],
      ]} />
      <${Choices} name="Parts of this page" of=${[
        ["Executions", at("", query.status), !definition],
        ["Definition", at("definition", query.status), definition],
      ]} />
      ${machine && (definition ? html`<${Graph} definition=${machine.definition} /><${Json} name="Definition" text=${machine.definition} />`
        : html`<${Executions} arn=${arn} status=${query.status} at=${at} />`)}
    <//>`;
}

function Executions({ arn, status, at }) {
  const list = usePages((token, signal) => listed(arn, status, token, signal), [arn, status ?? ""], AGAIN_MS);
  const choices = [["All", at("", ""), !status], ...STATUSES.map((each) => [each.replace("_", " ").toLowerCase(), at("", each), status === each])];
  const rows = (list.rows ?? []).map((execution) => ({ key: execution.executionArn, cells: executionCells(execution) }));
  return html`<${Choices} name="Status" of=${choices} />
    <p class="right"><${Age} live=${list} over=${list.pages > 1} /></p>
    ${list.rows && html`<${Table} caption="Executions" columns=${EXECUTION_COLUMNS} rows=${rows}
      empty=${status ? "No execution is in this state." : "This machine has not been started yet."} />`}
    <${More} list=${list} />`;
}

async function listed(stateMachineArn, statusFilter, nextToken, signal) {
  const members = { stateMachineArn, statusFilter: statusFilter || undefined, maxResults: ROWS, nextToken };
  const page = await call("ListExecutions", members, signal);
  return { rows: page.executions, next: page.nextToken };
}

export const EXECUTION_COLUMNS = ["Name", "Status", "Started", "Took", "Redriven"];

/** The cells of an execution in a list. */
export function executionCells(execution, href = write("execution", execution.executionArn)) {
  const took = execution.stopDate === undefined ? undefined : execution.stopDate - execution.startDate;
  return [
    html`<a href=${href}>${execution.name}</a>`,
    html`<${Status} of=${execution.status} />`,
    moment(execution.startDate),
    took === undefined ? "–" : duration(took),
    execution.redriveCount ? `${execution.redriveCount} ×` : "",
  ];
}
