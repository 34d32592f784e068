// Clients runs foreign clients on the reference broker, as the binary `sordini broker`, and on Apache Kafka, and compares what they saw:
//
//	clients/run                    installs the clients, then: go run ./clients
//	clients/run -full              the long scripts as well
//	clients/run -only java,sarama  those clients alone
//	clients/run -v                 prints what they saw
//
// Each client has a folder with scripts that do what its users do: produce with every codec, groups that rebalance while records flow, transactions that
// abort, the admin calls, errors of each side, brokers that restart. What a script saw on Kafka is what it has to see on the reference broker, to the letter
// but for addresses; a script that fails on either fails the run.
//
// # How a client takes part
//
// A program is given a bootstrap address and the scripts to run, and writes one JSON object a line on its standard output:
//
//	PROGRAM 127.0.0.1:9092,127.0.0.1:9094 aiokafka/produce aiokafka/groups
//
//	{"script": "aiokafka/produce", "step": "gzip", "saw": {"partition": 2, "value": "hello"}}    an observation
//	{"script": "aiokafka/restart", "ask": "restart"}                                             restart brokers; answered by a line "done" on its standard input
//	{"script": "aiokafka/produce", "end": true}                                                  the script is through
//
// It exits with status 0 when all scripts are through. Names of topics and groups begin with the client's name, as several run at once; a program prints
// nothing that no broker decides, such as times and generated ids. On a secured cluster SASL's users are admin (a super user), alice and bob, with "-secret"
// for a password's end. A script that leads from one cluster to another finds the other one's addresses in the environment variable ACROSS_TO.
//
// Beside the scripts kcat and kafkajs read what the order-service published and place orders that it handles.
package main
