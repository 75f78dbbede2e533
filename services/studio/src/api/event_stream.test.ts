import { describe, expect, it } from "vitest";
import { EventStreamReader } from "./event_stream";

const STREAM =
  "retry: 1000\n: subscribed\nid: p0\n\n" +
  'id: p1\nevent: run.started.v1\ndata: {"a":1}\n\n' +
  "id: p2\r\ndata: first\r\ndata: second\r\n\r\n" +
  ": keep-alive\nid: p3\n\n";

const MESSAGES = [
  { id: "p0", event: "message", data: "" },
  { id: "p1", event: "run.started.v1", data: '{"a":1}' },
  { id: "p2", event: "message", data: "first\nsecond" },
  { id: "p3", event: "message", data: "" },
];

describe("server-sent events", () => {
  it("are read from one piece", () => {
    expect(new EventStreamReader().read(STREAM)).toEqual(MESSAGES);
  });

  it("are read the same wherever the network cuts them", () => {
    for (let size = 1; size < STREAM.length; size += 1) {
      const reader = new EventStreamReader();
      const found = [];
      for (let at = 0; at < STREAM.length; at += size) {
        found.push(...reader.read(STREAM.slice(at, at + size)));
      }
      expect(found, `pieces of ${size}`).toEqual(MESSAGES);
    }
  });

  it("keep the id of the message before, and give nothing for half a message", () => {
    const reader = new EventStreamReader();
    expect(reader.read("id: 7\ndata: x\n")).toEqual([]);
    expect(reader.read("\ndata: y\n\n")).toEqual([
      { id: "7", event: "message", data: "x" },
      { id: "7", event: "message", data: "y" },
    ]);
  });
});
