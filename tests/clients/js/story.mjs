// The story of tests/clients/test_clients.py with the AWS SDK for JavaScript v3: node story.mjs NAME
import * as sdk from "@aws-sdk/client-sfn";

const name = process.argv[2];
const roleArn = "arn:aws:iam::123456789012:role/any";
const sfn = new sdk.SFNClient({ region: "us-east-1", disableHostPrefix: true });
const send = (Command, input = {}) => sfn.send(new Command(input));
const pass = (v) => JSON.stringify({ StartAt: "P", States: { P: { Type: "Pass", Result: { v }, End: true } } });
const last = (arn) => arn.split(":").at(-1);

async function errorOf(Command, input) {
  try {
    await send(Command, input);
  } catch (error) {
    return error.name;
  }
  return "none";
}

async function ended(executionArn) {
  for (;;) {
    const found = await send(sdk.DescribeExecutionCommand, { executionArn });
    if (found.status !== "RUNNING") return found;
    await new Promise((resume) => setTimeout(resume, 50));
  }
}

const facts = {};
const made = await send(sdk.CreateStateMachineCommand, {
  name,
  definition: pass(1),
  roleArn,
  publish: true,
  versionDescription: "first",
  tags: [{ key: "team", value: "a" }],
  loggingConfiguration: { level: "OFF", includeExecutionData: false },
});
const machine = made.stateMachineArn;
const changed = await send(sdk.UpdateStateMachineCommand, { stateMachineArn: machine, definition: pass(2), publish: true });
facts.published = [last(made.stateMachineVersionArn), last(changed.stateMachineVersionArn)];
const versions = await send(sdk.ListStateMachineVersionsCommand, { stateMachineArn: machine });
facts.versions = versions.stateMachineVersions.map((version) => last(version.stateMachineVersionArn));
const first = await send(sdk.DescribeStateMachineCommand, { stateMachineArn: `${machine}:1` });
facts.description = first.description;
facts.logging = first.loggingConfiguration.level;

const routingConfiguration = [{ stateMachineVersionArn: `${machine}:1`, weight: 100 }];
const alias = (await send(sdk.CreateStateMachineAliasCommand, { name: "live", routingConfiguration })).stateMachineAliasArn;
const started = await send(sdk.StartExecutionCommand, { stateMachineArn: alias, name: "one", input: "{}" });
const found = await ended(started.executionArn);
facts.output = found.output;
facts.ran = [last(found.stateMachineVersionArn), last(found.stateMachineAliasArn)];
facts.dates = found.startDate instanceof Date && found.stopDate >= found.startDate;
const history = await send(sdk.GetExecutionHistoryCommand, { executionArn: started.executionArn });
facts.events = history.events.map((event) => event.type);
facts.listed = [];
for await (const page of sdk.paginateListExecutions({ client: sfn, pageSize: 1 }, { stateMachineArn: alias })) {
  facts.listed.push(...page.executions.map((row) => row.name));
}

facts.errors = [
  await errorOf(sdk.StartExecutionCommand, { stateMachineArn: machine, name: "one", input: "[]" }),
  await errorOf(sdk.StartExecutionCommand, { stateMachineArn: `${machine}:9` }),
  await errorOf(sdk.DeleteStateMachineVersionCommand, { stateMachineVersionArn: `${machine}:1` }),
  await errorOf(sdk.DescribeStateMachineAliasCommand, { stateMachineAliasArn: `${machine}:none` }),
  await errorOf(sdk.CreateStateMachineCommand, { name, definition: "{}", roleArn }),
];

await send(sdk.TagResourceCommand, { resourceArn: machine, tags: [{ key: "owner", value: "b" }] });
await send(sdk.UntagResourceCommand, { resourceArn: machine, tagKeys: ["team"] });
const listed = await send(sdk.ListTagsForResourceCommand, { resourceArn: machine });
facts.tags = Object.fromEntries(listed.tags.map((tag) => [tag.key, tag.value]));

const fail = JSON.stringify({ StartAt: "F", States: { F: { Type: "Fail", Error: "Mine" } } });
const failing = (await send(sdk.CreateStateMachineCommand, { name: `${name}-fails`, definition: fail, roleArn })).stateMachineArn;
const failed = (await send(sdk.StartExecutionCommand, { stateMachineArn: failing })).executionArn;
facts.failed = (await ended(failed)).error;
await send(sdk.RedriveExecutionCommand, { executionArn: failed });
facts.redrives = (await ended(failed)).redriveCount;

const wait = JSON.stringify({ StartAt: "W", States: { W: { Type: "Wait", Seconds: 600, End: true } } });
const waiting = (await send(sdk.CreateStateMachineCommand, { name: `${name}-waits`, definition: wait, roleArn })).stateMachineArn;
const stopped = (await send(sdk.StartExecutionCommand, { stateMachineArn: waiting })).executionArn;
await send(sdk.StopExecutionCommand, { executionArn: stopped, error: "Mine", cause: "enough" });
facts.stopped = (await ended(stopped)).status;

const activity = (await send(sdk.CreateActivityCommand, { name })).activityArn;
facts.activity = (await send(sdk.DescribeActivityCommand, { activityArn: activity })).name;
await send(sdk.DeleteActivityCommand, { activityArn: activity });

const state = JSON.stringify({ Type: "Pass", End: true });
facts.tested = (await send(sdk.TestStateCommand, { definition: state, input: '{"a":1}', roleArn })).output;

const express = { name: `${name}-sync`, definition: pass(1), roleArn, type: "EXPRESS", publish: true };
const fast = (await send(sdk.CreateStateMachineCommand, express)).stateMachineVersionArn;
const synced = await send(sdk.StartSyncExecutionCommand, { stateMachineArn: fast });
facts.synced = [synced.status, synced.output];

await send(sdk.DeleteStateMachineCommand, { stateMachineArn: machine });
facts.deleted = await errorOf(sdk.DescribeStateMachineCommand, { stateMachineArn: `${machine}:2` });
console.log(JSON.stringify(facts));
