// A provider that streams two chunks and then hangs up in the middle of the body.

import { createServer } from "node:http";

/** Listens on a loopback port; `close()` ends it. */
export async function startBreakingProvider() {
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const chunks = ["one", " two"].map((content) => {
        const choices = [{ index: 0, delta: { content }, finish_reason: null }];
        return `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "m", choices })}\n\n`;
      });
      response.write(chunks.join(""), () => response.destroy());
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}
