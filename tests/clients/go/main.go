// The story of tests/clients/test_clients.py with the AWS SDK for Go v2: go run . NAME
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const role = "arn:aws:iam::123456789012:role/any"

var ctx = context.Background()

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func pass(v int) *string {
	return aws.String(fmt.Sprintf(`{"StartAt":"P","States":{"P":{"Type":"Pass","Result":{"v":%d},"End":true}}}`, v))
}

func last(arn *string) string {
	return (*arn)[strings.LastIndex(*arn, ":")+1:]
}

func errorOf[T any](_ T, err error) string {
	var known smithy.APIError
	if !errors.As(err, &known) {
		return "none"
	}
	if _, generic := known.(*smithy.GenericAPIError); generic {
		return "untyped"
	}
	return known.ErrorCode()
}

func ended(client *sfn.Client, arn *string) *sfn.DescribeExecutionOutput {
	for {
		found := must(client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: arn}))
		if found.Status != types.ExecutionStatusRunning {
			return found
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Of the two operations that AWS has on a host of their own: there is one host here.
func withoutHostPrefix(options *sfn.Options) {
	options.APIOptions = append(options.APIOptions, func(stack *middleware.Stack) error {
		disable := middleware.InitializeMiddlewareFunc("WithoutHostPrefix", func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			return next.HandleInitialize(smithyhttp.DisableEndpointHostPrefix(ctx, true), in)
		})
		return stack.Initialize.Add(disable, middleware.After)
	})
}

func main() {
	name := os.Args[1]
	client := sfn.NewFromConfig(must(config.LoadDefaultConfig(ctx)), withoutHostPrefix)
	facts := map[string]any{}
	create := func(name, definition string) *string {
		return must(client.CreateStateMachine(ctx, &sfn.CreateStateMachineInput{
			Name: &name, Definition: &definition, RoleArn: aws.String(role),
		})).StateMachineArn
	}
	start := func(machine *string) *string {
		return must(client.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: machine})).ExecutionArn
	}

	made := must(client.CreateStateMachine(ctx, &sfn.CreateStateMachineInput{
		Name: &name, Definition: pass(1), RoleArn: aws.String(role),
		Publish: true, VersionDescription: aws.String("first"),
		Tags:                 []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}},
		LoggingConfiguration: &types.LoggingConfiguration{Level: types.LogLevelOff},
	}))
	machine := made.StateMachineArn
	changed := must(client.UpdateStateMachine(ctx, &sfn.UpdateStateMachineInput{
		StateMachineArn: machine, Definition: pass(2), Publish: true,
	}))
	facts["published"] = []string{last(made.StateMachineVersionArn), last(changed.StateMachineVersionArn)}
	listed := must(client.ListStateMachineVersions(ctx, &sfn.ListStateMachineVersionsInput{StateMachineArn: machine}))
	versions := []string{}
	for _, version := range listed.StateMachineVersions {
		versions = append(versions, last(version.StateMachineVersionArn))
	}
	facts["versions"] = versions
	version := aws.String(*machine + ":1")
	first := must(client.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: version}))
	facts["description"], facts["logging"] = first.Description, first.LoggingConfiguration.Level

	alias := must(client.CreateStateMachineAlias(ctx, &sfn.CreateStateMachineAliasInput{
		Name:                 aws.String("live"),
		RoutingConfiguration: []types.RoutingConfigurationListItem{{StateMachineVersionArn: version, Weight: 100}},
	})).StateMachineAliasArn
	started := must(client.StartExecution(ctx, &sfn.StartExecutionInput{
		StateMachineArn: alias, Name: aws.String("one"), Input: aws.String("{}"),
	})).ExecutionArn
	found := ended(client, started)
	facts["output"] = found.Output
	facts["ran"] = []string{last(found.StateMachineVersionArn), last(found.StateMachineAliasArn)}
	facts["dates"] = !found.StopDate.Before(*found.StartDate)
	events := []types.HistoryEventType{}
	history := must(client.GetExecutionHistory(ctx, &sfn.GetExecutionHistoryInput{ExecutionArn: started}))
	for _, event := range history.Events {
		events = append(events, event.Type)
	}
	facts["events"] = events
	rows := []string{}
	pages := sfn.NewListExecutionsPaginator(client, &sfn.ListExecutionsInput{StateMachineArn: alias, MaxResults: 1})
	for pages.HasMorePages() {
		for _, row := range must(pages.NextPage(ctx)).Executions {
			rows = append(rows, *row.Name)
		}
	}
	facts["listed"] = rows

	facts["errors"] = []string{
		errorOf(client.StartExecution(ctx, &sfn.StartExecutionInput{
			StateMachineArn: machine, Name: aws.String("one"), Input: aws.String("[]"),
		})),
		errorOf(client.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: aws.String(*machine + ":9")})),
		errorOf(client.DeleteStateMachineVersion(ctx, &sfn.DeleteStateMachineVersionInput{StateMachineVersionArn: version})),
		errorOf(client.DescribeStateMachineAlias(ctx, &sfn.DescribeStateMachineAliasInput{
			StateMachineAliasArn: aws.String(*machine + ":none"),
		})),
		errorOf(client.CreateStateMachine(ctx, &sfn.CreateStateMachineInput{
			Name: &name, Definition: aws.String("{}"), RoleArn: aws.String(role),
		})),
	}

	must(client.TagResource(ctx, &sfn.TagResourceInput{
		ResourceArn: machine, Tags: []types.Tag{{Key: aws.String("owner"), Value: aws.String("b")}},
	}))
	must(client.UntagResource(ctx, &sfn.UntagResourceInput{ResourceArn: machine, TagKeys: []string{"team"}}))
	tags := map[string]string{}
	for _, tag := range must(client.ListTagsForResource(ctx, &sfn.ListTagsForResourceInput{ResourceArn: machine})).Tags {
		tags[*tag.Key] = *tag.Value
	}
	facts["tags"] = tags

	failed := start(create(name+"-fails", `{"StartAt":"F","States":{"F":{"Type":"Fail","Error":"Mine"}}}`))
	facts["failed"] = ended(client, failed).Error
	must(client.RedriveExecution(ctx, &sfn.RedriveExecutionInput{ExecutionArn: failed}))
	facts["redrives"] = ended(client, failed).RedriveCount

	stopped := start(create(name+"-waits", `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":600,"End":true}}}`))
	must(client.StopExecution(ctx, &sfn.StopExecutionInput{
		ExecutionArn: stopped, Error: aws.String("Mine"), Cause: aws.String("enough"),
	}))
	facts["stopped"] = ended(client, stopped).Status

	activity := must(client.CreateActivity(ctx, &sfn.CreateActivityInput{Name: &name})).ActivityArn
	facts["activity"] = must(client.DescribeActivity(ctx, &sfn.DescribeActivityInput{ActivityArn: activity})).Name
	must(client.DeleteActivity(ctx, &sfn.DeleteActivityInput{ActivityArn: activity}))

	facts["tested"] = must(client.TestState(ctx, &sfn.TestStateInput{
		Definition: aws.String(`{"Type":"Pass","End":true}`), Input: aws.String(`{"a":1}`), RoleArn: aws.String(role),
	})).Output

	fast := must(client.CreateStateMachine(ctx, &sfn.CreateStateMachineInput{
		Name: aws.String(name + "-sync"), Definition: pass(1), RoleArn: aws.String(role),
		Type: types.StateMachineTypeExpress, Publish: true,
	})).StateMachineVersionArn
	synced := must(client.StartSyncExecution(ctx, &sfn.StartSyncExecutionInput{StateMachineArn: fast}))
	facts["synced"] = []string{string(synced.Status), *synced.Output}

	must(client.DeleteStateMachine(ctx, &sfn.DeleteStateMachineInput{StateMachineArn: machine}))
	second := aws.String(*machine + ":2")
	facts["deleted"] = errorOf(client.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: second}))
	fmt.Println(string(must(json.Marshal(facts))))
}
