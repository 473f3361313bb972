package testbed.dumps;

import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.management.ManagementFactory;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Timer;
import java.util.TimerTask;
import java.util.TreeMap;

/**
 * Fills its heap with one kind of objects and dumps it: what the benchmarks read.
 *
 * <p>Usage: DumpMaker KIND COUNT FILE. The counts that give about a gigabyte stand in the Makefile.
 */
public final class DumpMaker {
  private static Object root;

  private DumpMaker() {}

  public static void main(String[] args) throws Exception {
    if (args.length != 3) {
      System.err.println("usage: DumpMaker mix|arrays|fins|timers|list|maps|graph|entities|tree COUNT FILE");
      System.exit(2);
    }
    int count = Integer.parseInt(args[1]);
    root = make(args[0], count);
    ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class).dumpHeap(args[2], false);
    System.out.println(args[0] + " " + count + " " + root.hashCode());
  }

  private static Object make(String kind, int count) {
    switch (kind) {
      case "mix":
        return orders(count);
      case "arrays":
        return arrays(count);
      case "fins":
        return finalizables(count);
      case "timers":
        return statements(count);
      case "list":
        return list(count);
      case "maps":
        return maps(count);
      case "graph":
        return graph(count);
      case "entities":
        return entities(count);
      case "tree":
        return tree(count);
      default:
        throw new IllegalArgumentException("unknown kind " + kind);
    }
  }

  /** Business objects: an order has a customer's name, a date, and lines with a price. */
  static final class Order {
    final long id;
    final String customer;
    final List<Line> lines = new ArrayList<>();
    final LinkedList<String> notes = new LinkedList<>();
    final Map<String, Integer> tags = new HashMap<>();

    Order(long id, String customer) {
      this.id = id;
      this.customer = customer;
    }
  }

  static final class Line {
    final Order order;
    final String article;
    final BigDecimal price;
    final Integer quantity;

    Line(Order order, String article, BigDecimal price, Integer quantity) {
      this.order = order;
      this.article = article;
      this.price = price;
      this.quantity = quantity;
    }
  }

  private static Object orders(int count) {
    Random random = new Random(1);
    List<Order> orders = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Order order = new Order(i, "customer " + random.nextInt(100_000));
      for (int k = random.nextInt(5); k >= 0; k--) {
        order.lines.add(
            new Line(order, "article " + random.nextInt(), BigDecimal.valueOf(random.nextInt(), 2), random.nextInt()));
      }
      order.notes.add("note " + i);
      order.tags.put("priority", random.nextInt());
      orders.add(order);
    }
    return orders;
  }

  private static Object arrays(int count) {
    List<byte[]> list = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      list.add(new byte[100_000]);
    }
    return list;
  }

  /** An object with a finalize() that has something to do. */
  static final class Resource {
    final long[] payload = new long[4];
    final String name;

    Resource(int i) {
      name = "resource " + i;
    }

    @Override
    @SuppressWarnings("deprecation")
    protected void finalize() {
      payload[0]++;
    }
  }

  private static Object finalizables(int count) {
    List<Resource> list = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      list.add(new Resource(i));
    }
    return list;
  }

  /** A statement with a finalize(), and the task that was to end its query: cancelled when that was done. */
  static final class Statement {
    final String sql;
    final byte[] row = new byte[48];
    TimerTask timeout;
    boolean closed;

    Statement(int i) {
      sql = "select " + i;
    }

    void execute(Timer timer) {
      timeout =
          new TimerTask() {
            @Override
            public void run() {
              closed = true;
            }
          };
      timer.schedule(timeout, 3_600_000);
      timeout.cancel();
      closed = true;
    }

    @Override
    @SuppressWarnings("deprecation")
    protected void finalize() {
      row[0]++;
    }
  }

  /** What a driver's timer keeps of statements that were closed: a cancelled task waits until it is due. */
  private static Object statements(int count) {
    Timer timer = new Timer("driver-timeouts", true);
    for (int i = 0; i < count; i++) {
      new Statement(i).execute(timer);
    }
    return timer;
  }

  static final class Node {
    Node next;
    Node other;
    Node third;
    long value;
  }

  private static Object list(int count) {
    Node head = null;
    for (int i = 0; i < count; i++) {
      Node node = new Node();
      node.next = head;
      node.value = i;
      head = node;
    }
    return head;
  }

  private static Object maps(int count) {
    List<Map<String, Integer>> list = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Map<String, Integer> map = new HashMap<>();
      for (int k = 0; k < 4; k++) {
        map.put("key " + i + k, i * 1000 + k);
      }
      list.add(map);
    }
    return list;
  }

  /** Nodes that refer to nodes at random: nothing to peel, the hardest for dominators. */
  private static Object graph(int count) {
    Random random = new Random(1);
    Node[] nodes = new Node[count];
    for (int i = 0; i < count; i++) {
      nodes[i] = new Node();
    }
    for (Node node : nodes) {
      node.next = nodes[random.nextInt(count)];
      node.other = nodes[random.nextInt(count)];
      node.third = nodes[random.nextInt(count)];
    }
    return nodes;
  }

  /** Entities that refer to each other both ways, as an object-relational mapper leaves them. */
  static final class Customer {
    final String name;
    final Customer recommendedBy;
    final List<Purchase> purchases = new ArrayList<>();

    Customer(String name, Customer recommendedBy) {
      this.name = name;
      this.recommendedBy = recommendedBy;
    }
  }

  static final class Purchase {
    final Customer customer;
    final List<Item> items = new ArrayList<>(4);

    Purchase(Customer customer) {
      this.customer = customer;
    }
  }

  static final class Item {
    final Purchase purchase;
    final Product product;
    final Double price;

    Item(Purchase purchase, Product product, Double price) {
      this.purchase = purchase;
      this.product = product;
      this.price = price;
    }
  }

  static final class Product {
    final String name;

    Product(String name) {
      this.name = name;
    }
  }

  private static Object entities(int count) {
    Random random = new Random(1);
    Product[] products = new Product[10_000];
    for (int i = 0; i < products.length; i++) {
      products[i] = new Product("product " + i);
    }
    List<Customer> customers = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Customer customer = new Customer("customer " + i, i == 0 ? null : customers.get(random.nextInt(i)));
      for (int k = 0; k < 3; k++) {
        Purchase purchase = new Purchase(customer);
        for (int m = 0; m < 3; m++) {
          purchase.items.add(new Item(purchase, products[random.nextInt(products.length)], random.nextDouble()));
        }
        customer.purchases.add(purchase);
      }
      customers.add(customer);
    }
    return customers;
  }

  /** A tree whose entries refer to their parents, in an order that memory does not have. */
  private static Object tree(int count) {
    Random random = new Random(1);
    Map<Long, String> map = new TreeMap<>();
    for (int i = 0; i < count; i++) {
      map.put(random.nextLong(), "value " + i % 1000);
    }
    return map;
  }
}
