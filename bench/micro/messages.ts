// Requests whose headers differ, and one answer, as benchmarks of the data path send them.

export const requests: readonly Buffer[] = Array.from({ length: 500 }, (_, n) =>
  Buffer.from(
    `GET /api/v1/items?id=${n} HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: bench/1.0\r\nAccept: application/json, text/plain, */*\r\n` +
      `Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-GB,en;q=0.9\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n` +
      `X-Request-Id: 7f1c6a1e-0000-4000-8000-${String(n).padStart(12, '0')}\r\nTraceparent: 00-4bf92f3577b34da6a3ce929d0e0e${String(n).padStart(4, '0')}-00f067aa0ba902b7-0${n % 100 === 7 ? 1 : 0}\r\n` +
      `Authorization: Bearer abcdefghijklmnopqrstuvwxyz\r\n\r\n`,
    'latin1',
  ),
)
export const answer: Buffer = Buffer.from(
  `HTTP/1.1 200 OK\r\nServer: app\r\nDate: Mon, 23 Nov 2026 21:55:28 GMT\r\nContent-Type: application/json; charset=utf-8\r\nCache-Control: no-cache\r\n` +
    `X-Request-Id: 7f1c6a1e-0000-4000-8000-000000000000\r\nContent-Length: 1024\r\n\r\n${'x'.repeat(1024)}`,
  'latin1',
)
