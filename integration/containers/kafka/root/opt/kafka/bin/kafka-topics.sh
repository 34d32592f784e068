#!/bin/bash
LOG_LEVEL=error exec kafka-run-class org.apache.kafka.tools.TopicCommand "$@"
