#!/usr/bin/env bash
# com.jayway.jsonpath 2.0.0, the engine whose paths AWS Step Functions speaks: what good guesses about them get wrong.
#
# Runs it alone, without maprun, on valid paths and documents, and fails when one of the values changes. Needs Maven and
# a JDK; works in a folder of its own.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >pom.xml <<'POM'
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
  <groupId>findings</groupId><artifactId>jsonpath</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>com.jayway.jsonpath</groupId><artifactId>json-path</artifactId><version>2.0.0</version></dependency>
    <dependency><groupId>com.fasterxml.jackson.core</groupId><artifactId>jackson-databind</artifactId><version>2.18.2</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.10</version></dependency>
  </dependencies>
</project>
POM
mvn --quiet --batch-mode org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory=libs
cat >Finding.java <<'JAVA'
import com.fasterxml.jackson.databind.ObjectMapper;
import com.jayway.jsonpath.Configuration;
import com.jayway.jsonpath.JsonPath;
import com.jayway.jsonpath.spi.json.JacksonJsonNodeJsonProvider;
import com.jayway.jsonpath.spi.mapper.JacksonMappingProvider;

public final class Finding {
    private static int wrong = 0;

    public static void main(String[] arguments) throws Exception {
        see("parentheses in a filter do not group", "$[?((@.a == 1 || @.b == 1) && @.c == 1)].n",
            "[{\"n\":1,\"a\":1,\"b\":0,\"c\":0},{\"n\":2,\"a\":0,\"b\":1,\"c\":1}]", "[1,2]");
        see("a step for arrays right behind .. takes every element", "$..[0].n", "[{\"n\":1},{\"n\":2}]", "[1,2]");
        see("a number in a filter is a text: it equals both", "$[?(@.s == 200)].s", "[{\"s\":200},{\"s\":\"200\"}]", "[200,\"200\"]");
        see("a negative number names no element", "$.a[-1]", "{\"a\":[1,2]}", "null");
        see("but as the side of an open slice it counts from the end", "$.a[-1:]", "{\"a\":[1,2]}", "[2]");
        see("and with both sides given it names elements that are not there", "$.a[-1:1]", "{\"a\":[1,2]}", "[null,1]");
        see("a letter in brackets is passed over", "$[a1b]", "[1,2]", "2");
        see("blanks join digits", "$[1 0]", "[0,1,2,3,4,5,6,7,8,9,10]", "10");
        see("an apostrophe ends a dotted name", "$.it's", "{\"it\":1,\"it's\":2}", "1");
        System.exit(wrong == 0 ? 0 : 1);
    }

    private static void see(String what, String path, String document, String expected) throws Exception {
        Configuration settings = Configuration.builder().jsonProvider(new JacksonJsonNodeJsonProvider())
            .mappingProvider(new JacksonMappingProvider()).build();
        Object found = JsonPath.compile(path).read((Object) new ObjectMapper().readTree(document), settings);
        boolean same = expected.equals(String.valueOf(found));
        wrong += same ? 0 : 1;
        System.out.println((same ? "seen     " : "CHANGED  ") + what + ": " + path + " of " + document + " is " + found);
    }
}
JAVA
javac -cp 'libs/*' Finding.java
echo "json-path 2.0.0, jackson-databind 2.18.2, $(java -version 2>&1 | head -n 1)"
java -cp 'libs/*:.' Finding
