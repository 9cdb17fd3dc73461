#!/bin/bash
# The story of tests/clients/test_clients.py with the AWS CLI: story.sh NAME
set -euo pipefail
name=$1 role=arn:aws:iam::123456789012:role/any

sfn() { aws stepfunctions "$@" --output text; }
quoted() { local text=${1//\\/\\\\}; printf '"%s"' "${text//\"/\\\"}"; }
listed() { local each out=; for each in "$@"; do out+=${out:+, }$(quoted "$each"); done; printf '[%s]' "$out"; }
pass() { printf '{"StartAt":"P","States":{"P":{"Type":"Pass","Result":{"v":%s},"End":true}}}' "$1"; }
error_of() { local told; told=$("$@" 2>&1 >/dev/null) && told='(none)'; told=${told#*(}; printf '%s' "${told%%)*}"; }
ended() {
    local status=RUNNING
    while [ "$status" = RUNNING ]; do status=$(sfn describe-execution --execution-arn "$1" --query status); done
    sfn describe-execution --execution-arn "$1" --query "$2"
}

read -r machine first < <(sfn create-state-machine --name "$name" --definition "$(pass 1)" --role-arn $role --publish \
    --version-description first --tags key=team,value=a --logging-configuration level=OFF,includeExecutionData=false \
    --query '[stateMachineArn, stateMachineVersionArn]')
second=$(sfn update-state-machine --state-machine-arn "$machine" --definition "$(pass 2)" --publish \
    --query stateMachineVersionArn)
versions=$(sfn list-state-machine-versions --state-machine-arn "$machine" --query 'stateMachineVersions[].stateMachineVersionArn')
read -r description logging < <(sfn describe-state-machine --state-machine-arn "$machine:1" \
    --query '[description, loggingConfiguration.level]')

alias=$(sfn create-state-machine-alias --name live \
    --routing-configuration "stateMachineVersionArn=$machine:1,weight=100" --query stateMachineAliasArn)
started=$(sfn start-execution --state-machine-arn "$alias" --name one --input '{}' --query executionArn)
output=$(ended "$started" output)
read -r ran by < <(ended "$started" '[stateMachineVersionArn, stateMachineAliasArn]')
dates=$(ended "$started" 'stopDate >= startDate && `true`')
events=$(sfn get-execution-history --execution-arn "$started" --query 'events[].type')
names=$(sfn list-executions --state-machine-arn "$alias" --page-size 1 --query 'executions[].name')

errors=(
    "$(error_of sfn start-execution --state-machine-arn "$machine" --name one --input '[]')"
    "$(error_of sfn start-execution --state-machine-arn "$machine:9")"
    "$(error_of sfn delete-state-machine-version --state-machine-version-arn "$machine:1")"
    "$(error_of sfn describe-state-machine-alias --state-machine-alias-arn "$machine:none")"
    "$(error_of sfn create-state-machine --name "$name" --definition '{}' --role-arn $role)"
)

sfn tag-resource --resource-arn "$machine" --tags key=owner,value=b
sfn untag-resource --resource-arn "$machine" --tag-keys team
read -r key value < <(sfn list-tags-for-resource --resource-arn "$machine" --query 'tags[].[key, value]')

failing=$(sfn create-state-machine --name "$name-fails" --role-arn $role --query stateMachineArn \
    --definition '{"StartAt":"F","States":{"F":{"Type":"Fail","Error":"Mine"}}}')
failed=$(sfn start-execution --state-machine-arn "$failing" --query executionArn)
error=$(ended "$failed" error)
sfn redrive-execution --execution-arn "$failed" >/dev/null
redrives=$(ended "$failed" redriveCount)

waiting=$(sfn create-state-machine --name "$name-waits" --role-arn $role --query stateMachineArn \
    --definition '{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":600,"End":true}}}')
stopping=$(sfn start-execution --state-machine-arn "$waiting" --query executionArn)
sfn stop-execution --execution-arn "$stopping" --error Mine --cause enough >/dev/null
stopped=$(ended "$stopping" status)

activity=$(sfn create-activity --name "$name" --query activityArn)
shown=$(sfn describe-activity --activity-arn "$activity" --query name)
sfn delete-activity --activity-arn "$activity"
tested=$(sfn test-state --definition '{"Type":"Pass","End":true}' --input '{"a":1}' --role-arn $role --query output)

fast=$(sfn create-state-machine --name "$name-sync" --definition "$(pass 1)" --role-arn $role --type EXPRESS --publish \
    --query stateMachineVersionArn)
read -r synced given < <(sfn start-sync-execution --state-machine-arn "$fast" --query '[status, output]')

sfn delete-state-machine --state-machine-arn "$machine"
deleted=$(error_of sfn describe-state-machine --state-machine-arn "$machine:2")

cat <<END
{"published": $(listed "${first##*:}" "${second##*:}"),
 "versions": $(listed $(for each in $versions; do echo "${each##*:}"; done)),
 "description": $(quoted "$description"), "logging": $(quoted "$logging"),
 "output": $(quoted "$output"), "ran": $(listed "${ran##*:}" "${by##*:}"), "dates": ${dates,,},
 "events": $(listed $events), "listed": $(listed $names), "errors": $(listed "${errors[@]}"),
 "tags": {$(quoted "$key"): $(quoted "$value")}, "failed": $(quoted "$error"), "redrives": $redrives,
 "stopped": $(quoted "$stopped"), "activity": $(quoted "$shown"), "tested": $(quoted "$tested"),
 "synced": $(listed "$synced" "$given"),
 "deleted": $(quoted "$deleted")}
END
