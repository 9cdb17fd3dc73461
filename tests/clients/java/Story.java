// The story of tests/clients/test_clients.py with the AWS SDK for Java v2: java -cp 'lib/*' Story.java NAME
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import software.amazon.awssdk.core.client.config.SdkAdvancedClientOption;
import software.amazon.awssdk.services.sfn.SfnClient;
import software.amazon.awssdk.services.sfn.model.*;

public class Story {
    static final String ROLE = "arn:aws:iam::123456789012:role/any";
    static final SfnClient sfn = SfnClient.builder()
        .overrideConfiguration(c -> c.putAdvancedOption(SdkAdvancedClientOption.DISABLE_HOST_PREFIX_INJECTION, true))
        .build();

    static String pass(int v) {
        return "{\"StartAt\":\"P\",\"States\":{\"P\":{\"Type\":\"Pass\",\"Result\":{\"v\":" + v + "},\"End\":true}}}";
    }

    static String last(String arn) {
        return arn.substring(arn.lastIndexOf(':') + 1);
    }

    static String text(String value) {
        return value == null ? "null" : "\"" + value.replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
    }

    static String list(Stream<String> values) {
        return values.map(Story::text).collect(Collectors.joining(", ", "[", "]"));
    }

    static String errorOf(Supplier<?> call) {
        try {
            call.get();
            return "none";
        } catch (SfnException error) {
            return error.getClass().getSimpleName().equals("SfnException") ? "untyped" : error.awsErrorDetails().errorCode();
        }
    }

    static DescribeExecutionResponse ended(String arn) throws InterruptedException {
        while (true) {
            var found = sfn.describeExecution(r -> r.executionArn(arn));
            if (found.status() != ExecutionStatus.RUNNING) return found;
            Thread.sleep(50);
        }
    }

    static String create(String name, String definition) {
        return sfn.createStateMachine(r -> r.name(name).definition(definition).roleArn(ROLE)).stateMachineArn();
    }

    static String start(String machine) {
        return sfn.startExecution(r -> r.stateMachineArn(machine)).executionArn();
    }

    public static void main(String[] arguments) throws InterruptedException {
        String name = arguments[0];
        var made = sfn.createStateMachine(r -> r.name(name).definition(pass(1)).roleArn(ROLE).publish(true)
            .versionDescription("first").tags(Tag.builder().key("team").value("a").build())
            .loggingConfiguration(l -> l.level(LogLevel.OFF).includeExecutionData(false)));
        String machine = made.stateMachineArn();
        var changed = sfn.updateStateMachine(r -> r.stateMachineArn(machine).definition(pass(2)).publish(true));
        var versions = sfn.listStateMachineVersions(r -> r.stateMachineArn(machine)).stateMachineVersions();
        var first = sfn.describeStateMachine(r -> r.stateMachineArn(machine + ":1"));

        String alias = sfn.createStateMachineAlias(r -> r.name("live")
            .routingConfiguration(i -> i.stateMachineVersionArn(machine + ":1").weight(100))).stateMachineAliasArn();
        String started = sfn.startExecution(r -> r.stateMachineArn(alias).name("one").input("{}")).executionArn();
        var found = ended(started);
        var events = sfn.getExecutionHistory(r -> r.executionArn(started)).events();
        var rows = sfn.listExecutionsPaginator(r -> r.stateMachineArn(alias).maxResults(1)).executions().stream();

        List<String> errors = List.of(
            errorOf(() -> sfn.startExecution(r -> r.stateMachineArn(machine).name("one").input("[]"))),
            errorOf(() -> sfn.startExecution(r -> r.stateMachineArn(machine + ":9"))),
            errorOf(() -> sfn.deleteStateMachineVersion(r -> r.stateMachineVersionArn(machine + ":1"))),
            errorOf(() -> sfn.describeStateMachineAlias(r -> r.stateMachineAliasArn(machine + ":none"))),
            errorOf(() -> create(name, "{}")));

        sfn.tagResource(r -> r.resourceArn(machine).tags(Tag.builder().key("owner").value("b").build()));
        sfn.untagResource(r -> r.resourceArn(machine).tagKeys("team"));
        String tags = sfn.listTagsForResource(r -> r.resourceArn(machine)).tags().stream()
            .map(tag -> text(tag.key()) + ": " + text(tag.value())).collect(Collectors.joining(", ", "{", "}"));

        String failed = start(create(name + "-fails", "{\"StartAt\":\"F\",\"States\":{\"F\":{\"Type\":\"Fail\",\"Error\":\"Mine\"}}}"));
        String error = ended(failed).error();
        sfn.redriveExecution(r -> r.executionArn(failed));
        int redrives = ended(failed).redriveCount();

        String wait = "{\"StartAt\":\"W\",\"States\":{\"W\":{\"Type\":\"Wait\",\"Seconds\":600,\"End\":true}}}";
        String stopped = start(create(name + "-waits", wait));
        sfn.stopExecution(r -> r.executionArn(stopped).error("Mine").cause("enough"));
        String status = ended(stopped).statusAsString();

        String activity = sfn.createActivity(r -> r.name(name)).activityArn();
        String shown = sfn.describeActivity(r -> r.activityArn(activity)).name();
        sfn.deleteActivity(r -> r.activityArn(activity));
        String tested = sfn.testState(r -> r.definition("{\"Type\":\"Pass\",\"End\":true}").input("{\"a\":1}").roleArn(ROLE)).output();

        String fast = sfn.createStateMachine(r -> r.name(name + "-sync").definition(pass(1)).roleArn(ROLE)
            .type(StateMachineType.EXPRESS).publish(true)).stateMachineVersionArn();
        var synced = sfn.startSyncExecution(r -> r.stateMachineArn(fast));

        sfn.deleteStateMachine(r -> r.stateMachineArn(machine));
        String deleted = errorOf(() -> sfn.describeStateMachine(r -> r.stateMachineArn(machine + ":2")));

        System.out.println("{\"published\": " + list(Stream.of(last(made.stateMachineVersionArn()), last(changed.stateMachineVersionArn())))
            + ", \"versions\": " + list(versions.stream().map(v -> last(v.stateMachineVersionArn())))
            + ", \"description\": " + text(first.description())
            + ", \"logging\": " + text(first.loggingConfiguration().levelAsString())
            + ", \"output\": " + text(found.output())
            + ", \"ran\": " + list(Stream.of(last(found.stateMachineVersionArn()), last(found.stateMachineAliasArn())))
            + ", \"dates\": " + !found.stopDate().isBefore(found.startDate())
            + ", \"events\": " + list(events.stream().map(HistoryEvent::typeAsString))
            + ", \"listed\": " + list(rows.map(ExecutionListItem::name))
            + ", \"errors\": " + list(errors.stream())
            + ", \"tags\": " + tags
            + ", \"failed\": " + text(error) + ", \"redrives\": " + redrives
            + ", \"stopped\": " + text(status) + ", \"activity\": " + text(shown)
            + ", \"synced\": " + list(Stream.of(synced.statusAsString(), synced.output()))
            + ", \"tested\": " + text(tested) + ", \"deleted\": " + text(deleted) + "}");
    }
}
