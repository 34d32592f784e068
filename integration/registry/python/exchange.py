"""Confluent's Python serializers, unmodified, beside those of Go: python exchange.py URL. Each line on standard input is a record that Go has encoded; the
answer is a line with what Python reads in it, as JSON, and the record that Python makes of that value. The schemas are those of the registry."""
import datetime
import decimal
import json
import sys
import uuid

from confluent_kafka.schema_registry import SchemaRegistryClient, header_schema_id_serializer, prefix_schema_id_serializer, topic_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pool, json_format, message_factory

client = SchemaRegistryClient({"url": sys.argv[1]})
reading = {"subject.name.strategy": topic_subject_name_strategy}


def message_class(request):
    pool = descriptor_pool.DescriptorPool()
    for file in request["files"]:
        pool.AddSerializedFile(bytes.fromhex(file))
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(request["message"]))


def pair(request, writing):
    match request["format"]:
        case "AVRO":
            return AvroDeserializer(client, conf=reading), AvroSerializer(client, None, conf=writing)
        case "JSON":
            return JSONDeserializer(None, schema_registry_client=client, conf=reading), JSONSerializer(None, client, conf=writing)
        case "PROTOBUF":
            message = message_class(request)
            return ProtobufDeserializer(message, reading, None if request["blind"] else client), ProtobufSerializer(message, client, writing)


def plain(value):
    match value:
        case datetime.datetime():
            return value.isoformat()
        case decimal.Decimal() | uuid.UUID():
            return str(value)
        case bytes():
            return value.hex()
    raise TypeError(f"{type(value)} in a record")


def exchange(request):
    writing = {
        "subject.name.strategy": topic_subject_name_strategy,
        "auto.register.schemas": False,
        "use.latest.version": request["latest"],
        "schema.id.serializer": header_schema_id_serializer if request["headers"] else prefix_schema_id_serializer,
    }
    deserializer, serializer = pair(request, writing)
    headers = {name: bytes.fromhex(value) for name, value in request["headers"].items()}
    field = MessageField.KEY if request["key"] else MessageField.VALUE
    value = deserializer(bytes.fromhex(request["raw"]), SerializationContext(request["topic"], field, headers))
    written = {}
    raw = serializer(value, SerializationContext(request["topic"], field, written))
    if request["format"] == "PROTOBUF":
        value = json_format.MessageToDict(value)
    return {"value": value, "raw": raw.hex(), "headers": {name: value.hex() for name, value in written.items()}}


for line in sys.stdin:
    try:
        answer = exchange(json.loads(line))
    except Exception as e:  # the test says which record it was
        answer = {"error": f"{type(e).__name__}: {e}"}
    print(json.dumps(answer, default=plain), flush=True)
