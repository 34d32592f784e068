module github.com/sordini-go/sordini/integration/bench/cgopeers

go 1.26.0

replace github.com/sordini-go/sordini/integration => ../..

replace github.com/sordini-go/sordini => ../../..

require (
	github.com/confluentinc/confluent-kafka-go/v2 v2.11.1
	github.com/sordini-go/sordini/integration v0.0.0
)
