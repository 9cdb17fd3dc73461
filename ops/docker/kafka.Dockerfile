# Apache Kafka, one KRaft node, from the jars that maprun/local/static/kafka/pom.xml names.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS jars
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends ca-certificates default-jre-headless maven \
    && rm -rf /var/lib/apt/lists/*
COPY maprun/local/static/kafka/pom.xml /build/
RUN mvn --quiet --batch-mode --file /build/pom.xml dependency:copy-dependencies -DoutputDirectory=/jars

FROM ${BASE}
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends default-jre-headless openssl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 1000 --home-dir /data kafka && mkdir /data /certificates /authority \
    && chown kafka: /data /certificates /authority
COPY --from=jars /jars /opt/kafka/libs
COPY maprun/local/static/kafka/server.properties maprun/local/static/kafka/log4j2.properties /opt/kafka/
COPY ops/docker/kafka-entrypoint ops/docker/make-certificates /usr/local/bin/
USER kafka
ENTRYPOINT ["kafka-entrypoint"]
