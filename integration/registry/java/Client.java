// Spring Cloud Stream's registry client, unmodified, against a registry: Client.java URL [USER PASSWORD]. The first claim that does not hold ends it.

import org.springframework.cloud.stream.schema.registry.SchemaReference;
import org.springframework.cloud.stream.schema.registry.client.ConfluentSchemaRegistryClient;
import org.springframework.http.client.support.BasicAuthenticationInterceptor;
import org.springframework.web.client.RestTemplate;

final class Client {
  static final String ORDER = "{\"type\":\"record\",\"name\":\"Order\",\"namespace\":\"spring\",\"fields\":[{\"name\":\"id\",\"type\":\"string\"}]}";

  public static void main(String[] args) {
    var template = new RestTemplate();
    if (args.length > 1) {
      template.getInterceptors().add(new BasicAuthenticationInterceptor(args[1], args[2]));
    }
    var client = new ConfluentSchemaRegistryClient(template);
    client.setEndpoint(args[0]);

    var first = client.register("spring-order", "avro", ORDER);
    same("version", first.getSchemaReference().getVersion(), 1);
    same("id of the same schema", client.register("spring-order", "avro", ORDER).getId(), first.getId());
    same("schema by id", client.fetch(first.getId()), ORDER);
    same("schema by version", client.fetch(new SchemaReference("spring-order", 1, "avro")), ORDER);

    var newer = ORDER.replace("]}", ",{\"name\":\"note\",\"type\":\"string\",\"default\":\"\"}]}");
    same("newer version", client.register("spring-order", "avro", newer).getSchemaReference().getVersion(), 2);
    fails("incompatible", () -> client.register("spring-order", "avro", ORDER.replace("\"string\"", "\"int\"")));
    fails("unknown id", () -> client.fetch(1_000_000));
    fails("unknown subject", () -> client.fetch(new SchemaReference("nobody", 1, "avro")));
    if (args.length > 1) {
      var stranger = new ConfluentSchemaRegistryClient();
      stranger.setEndpoint(args[0]);
      fails("without a password", () -> stranger.fetch(first.getId()));
    }
    System.out.println("ok");
  }

  static void same(String what, Object got, Object want) {
    if (!got.equals(want)) {
      throw new AssertionError(what + " is " + got + ", want " + want);
    }
  }

  static void fails(String what, Runnable call) {
    try {
      call.run();
    } catch (RuntimeException e) {
      return;
    }
    throw new AssertionError(what + ": no error");
  }
}
