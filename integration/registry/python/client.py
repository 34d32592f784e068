"""Confluent's Python client, unmodified, against a registry: python client.py URL [USER PASSWORD]. The first claim that does not hold ends it."""
import sys

from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient, ServerConfig
from confluent_kafka.schema_registry.common.schema_registry_client import ConfigCompatibilityLevel
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2

url, *credentials = sys.argv[1:]
conf = {"url": url}
if credentials:
    conf["basic.auth.user.info"] = ":".join(credentials)
client = SchemaRegistryClient(conf)


def refused(code, call, *args, **kwargs):
    try:
        answer = call(*args, **kwargs)
    except SchemaRegistryError as e:
        assert e.error_code == code, f"{call.__name__}{args}: {e}, want {code}"
        return e
    raise AssertionError(f"{call.__name__}{args} is answered with {answer}, want {code}")


def the_api():
    item = Schema('{"type":"record","name":"shop.Item","fields":[{"name":"sku","type":"string"}]}', "AVRO")
    assert client.get_subjects() == []
    first = client.register_schema("item", item)
    assert client.register_schema("item", item) == first
    registered = client.register_schema_full_response("other", item)
    assert registered.schema_id == first
    order = Schema(
        '{"type":"record","name":"shop.Order","fields":[{"name":"item","type":"shop.Item"}]}', "AVRO",
        [SchemaReference("shop.Item", "item", 1)],
    )
    second = client.register_schema("order", order)
    assert second != first
    latest = client.get_latest_version("order")
    assert (latest.version, latest.schema_id, latest.subject) == (1, second, "order")
    assert latest.schema.references[0].subject == "item"
    assert latest.guid
    assert client.get_schema_by_guid(latest.guid).schema_str == latest.schema.schema_str
    assert client.get_schema(second).references[0].name == "shop.Item"
    assert client.lookup_schema("order", order).version == 1
    assert client.get_version("item", 1).schema_id == first
    assert client.get_versions("item") == [1]
    assert sorted(client.get_subjects()) == ["item", "order", "other"]
    broken = Schema('{"type":"record","name":"shop.Item","fields":[{"name":"sku","type":"int"}]}', "AVRO")
    assert not client.test_compatibility("item", broken)
    assert client.test_compatibility("item", item)
    refused(409, client.register_schema, "item", broken)
    refused(42201, client.register_schema, "item", Schema("{", "AVRO"))
    refused(40401, client.get_latest_version, "nobody")
    refused(40402, client.get_version, "item", 9)
    refused(40403, client.get_schema, 1_000_000)
    refused(42206, client.delete_subject, "item")
    client.set_compatibility("other", "NONE")
    assert client.get_compatibility("other") == "NONE"
    client.set_config("other", ServerConfig(compatibility=ConfigCompatibilityLevel.FULL, compatibility_group="major"))
    assert client.get_config("other").compatibility_level == "FULL"
    assert client.get_config("other").compatibility_group == "major"
    client.delete_config("other")
    client.set_compatibility("other", "NONE")
    client.register_schema("other", broken)
    refused(40407, client.delete_version, "other", 1, permanent=True)
    assert client.delete_version("other", 1) == 1
    assert client.delete_subject("other") == [2]
    assert sorted(client.delete_subject("other", permanent=True)) == [1, 2]
    refused(42203, client.set_compatibility, "item", "SIDEWAYS")


def message_class():
    file = descriptor_pb2.FileDescriptorProto(name="order.proto", package="shop", syntax="proto3", dependency=["google/protobuf/timestamp.proto"])
    order = file.message_type.add(name="Order")
    string, message, repeated = (descriptor_pb2.FieldDescriptorProto.TYPE_STRING, descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE,
                                 descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED)
    order.field.add(name="id", number=1, type=string, label=1)
    order.field.add(name="at", number=2, type=message, label=1, type_name=".google.protobuf.Timestamp")
    order.field.add(name="items", number=3, type=message, label=repeated, type_name=".shop.Order.Item")
    order.field.add(name="by", number=4, type=message, label=repeated, type_name=".shop.Order.ByEntry")
    order.nested_type.add(name="Item").field.add(name="sku", number=1, type=string, label=1)
    entry = order.nested_type.add(name="ByEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=string, label=1)
    entry.field.add(name="value", number=2, type=string, label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.Order"))


def serializers():
    # Who reads is another process with a client of its own: the one that registers keeps the text that it is answered, which is no descriptor.
    reader = SchemaRegistryClient(conf)
    value = {"id": "17", "total": 3}
    avro = '{"type":"record","name":"Order","fields":[{"name":"id","type":"string"},{"name":"total","type":"int"}]}'
    context = SerializationContext("avro", MessageField.VALUE)
    raw = AvroSerializer(client, avro)(value, context)
    assert AvroDeserializer(reader)(raw, context) == value
    assert client.get_schema(int.from_bytes(raw[1:5], "big")).schema_str == avro

    json = '{"title":"Order","type":"object","properties":{"id":{"type":"string"},"total":{"type":"integer"}}}'
    context = SerializationContext("json", MessageField.VALUE)
    raw = JSONSerializer(json, client)(value, context)
    assert JSONDeserializer(None, schema_registry_client=reader)(raw, context) == value

    order = message_class()
    context = SerializationContext("protobuf", MessageField.VALUE)
    message = order(id="17", items=[order.Item(sku="a")], by={"k": "v"})
    raw = ProtobufSerializer(order, client, {"use.deprecated.format": False})(message, context)
    assert ProtobufDeserializer(order, {"use.deprecated.format": False}, reader)(raw, context) == message
    stored = client.get_latest_version("protobuf-value").schema.schema_str
    assert "message Order {" in stored, stored  # it came as a descriptor


the_api()
serializers()
print("ok")
