// WebSockets by ws at both ends, and server-sent events, through two sidecars: over the HTTP/2 link, and over HTTP/1.1 between them.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, get, type Server, type ServerResponse } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'

import { type RawData, WebSocket, WebSocketServer } from 'ws'

import { type SidecarPair, startSidecarPair } from '../kit/sidecar-pair.ts'
import { testAuthority } from '../kit/svids.ts'
import { until } from '../kit/until.ts'

const authority = testAuthority()
let application: Server
let sockets: WebSocketServer
const closes: { code: number; reason: string }[] = []
const events: ServerResponse[] = []

before(async () => {
  application = createServer((incoming, response) => {
    if (incoming.url !== '/events') {
      response.end('plain\n')
      return
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.flushHeaders()
    events.push(response)
  })
  sockets = new WebSocketServer({ server: application, perMessageDeflate: true, handleProtocols: () => 'chat' })
  sockets.on('connection', (socket) => {
    socket.on('message', (data: RawData, isBinary) => {
      const text = isBinary ? '' : textOf(data)
      if (text === 'close me') socket.close(4_001, 'as you wish')
      else if (text === 'ping me') socket.ping('are you there')
      else socket.send(data, { binary: isBinary })
    })
    socket.on('pong', (data) => socket.send(`pong: ${data.toString()}`))
    socket.on('close', (code, reason) => closes.push({ code, reason: reason.toString() }))
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve))
})

after(() => {
  sockets.close()
  application.closeAllConnections()
  application.close()
  authority.remove()
})

function textOf(data: RawData): string {
  return (data as Buffer).toString()
}

class Chat {
  readonly socket: WebSocket
  readonly messages: { readonly data: Buffer; readonly binary: boolean }[] = []

  constructor(port: number) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/chat`, ['chat'])
    this.socket.on('message', (data: RawData, binary) => this.messages.push({ data: data as Buffer, binary }))
  }

  static async open(port: number): Promise<Chat> {
    const chat = new Chat(port)
    await once(chat.socket, 'open')
    return chat
  }

  async ask(message: string | Buffer): Promise<{ readonly data: Buffer; readonly binary: boolean }> {
    const seen = this.messages.length
    this.socket.send(message)
    await until('it is answered', () => this.messages.length > seen, 10_000)
    return this.messages[seen] as { data: Buffer; binary: boolean }
  }
}

for (const upgradeToHttp2 of [true, false]) {
  describe(`over ${upgradeToHttp2 ? 'HTTP/2' : 'HTTP/1.1'} between the sidecars`, () => {
    let pair: SidecarPair
    before(async () => {
      pair = await startSidecarPair({
        authority,
        applicationPort: (application.address() as AddressInfo).port,
        upgradeToHttp2,
      })
    })
    after(() => pair.stop())

    it('text, binary and a megabyte come back as they went', async () => {
      const chat = await Chat.open(pair.port)
      assert.equal(chat.socket.protocol, 'chat')
      assert.deepEqual(await chat.ask('grüße'), { data: Buffer.from('grüße'), binary: false })
      for (const size of [0, 1, 125, 126, 65_536, 1_048_576]) {
        const message = randomBytes(size)
        const { data, binary } = await chat.ask(message)
        assert.ok(binary && data.equals(message), `${size} bytes`)
      }
      chat.socket.terminate()
    })

    it('a caller of HTTP/2 reaches it by extended CONNECT', async () => {
      const session = connectHttp2(`http://127.0.0.1:${pair.port}`)
      const [settings] = (await once(session, 'remoteSettings')) as [{ enableConnectProtocol: boolean }]
      assert.equal(settings.enableConnectProtocol, true)
      const stream = session.request(
        {
          ':method': 'CONNECT',
          ':protocol': 'websocket',
          ':path': '/chat',
          'sec-websocket-version': '13',
          'sec-websocket-protocol': 'chat',
        },
        { endStream: false },
      )
      const [head] = (await once(stream, 'response')) as [Record<string, unknown>]
      assert.deepEqual([head[':status'], head['sec-websocket-protocol']], [200, 'chat'])
      let received = Buffer.alloc(0)
      stream.on('data', (piece: Buffer) => (received = Buffer.concat([received, piece])))
      // A text of two characters, masked with zeros (RFC 6455 section 5.2)
      stream.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]))
      await until('it comes back', () => received.length === 4)
      assert.deepEqual([...received], [0x81, 2, 0x68, 0x69])
      stream.close()
      session.close()
    })

    it('pings and pongs pass both ways', async () => {
      const chat = await Chat.open(pair.port)
      chat.socket.ping('hello')
      const [data] = (await once(chat.socket, 'pong')) as [Buffer]
      assert.equal(data.toString(), 'hello')
      assert.equal((await chat.ask('ping me')).data.toString(), 'pong: are you there')
      chat.socket.terminate()
    })

    it('close codes pass both ways, and a lost connection is lost at the other end', async () => {
      await until('those of the other tests are gone', () => sockets.clients.size === 0)
      closes.length = 0
      const first = await Chat.open(pair.port)
      first.socket.close(4_000, 'enough')
      await until('the server has heard it', () =>
        closes.some(({ code, reason }) => code === 4_000 && reason === 'enough'),
      )
      const second = await Chat.open(pair.port)
      second.socket.send('close me')
      const [code, reason] = (await once(second.socket, 'close')) as [number, Buffer]
      assert.deepEqual([code, reason.toString()], [4_001, 'as you wish'])
      const third = await Chat.open(pair.port)
      third.socket.terminate()
      await until('the server has heard it', () => closes.at(-1)?.code === 1_006)
    })

    it('200 at once', async () => {
      const chats = await Promise.all(Array.from({ length: 200 }, () => Chat.open(pair.port)))
      const answers = await Promise.all(chats.map((chat, n) => chat.ask(`${n}`)))
      assert.deepEqual(
        answers.map(({ data }) => data.toString()),
        chats.map((_, n) => `${n}`),
      )
      if (upgradeToHttp2) assert.ok(pair.server.openConnections() <= 4, `${pair.server.openConnections()} connections`)
      for (const { socket } of chats) socket.terminate()
    })

    it('a change of the configuration leaves them be', async () => {
      const chat = await Chat.open(pair.port)
      await chat.ask('before')
      for (const { runtime } of [pair.client, pair.server]) {
        const { value } = runtime
        const clusters = [...value.clusters].map(
          ([name, cluster]) => [name, { ...cluster, connectTimeoutMs: 999 }] as const,
        )
        const listeners = [...value.listeners].map(([name, listener]) => [name, { ...listener }] as const)
        runtime.set({ ...value, revision: '2', clusters: new Map(clusters), listeners: new Map(listeners) })
      }
      assert.equal((await chat.ask('after')).data.toString(), 'after')
      for (const { runtime } of [pair.client, pair.server]) {
        const { value } = runtime
        const without = [...value.clusters].map(([name, cluster]) => [name, { ...cluster, endpoints: [] }] as const)
        runtime.set({ ...value, revision: '3', clusters: new Map(without) })
      }
      assert.equal((await chat.ask('even without its endpoint')).data.toString(), 'even without its endpoint')
      chat.socket.terminate()
    })
  })

  it(`each event comes at once over ${upgradeToHttp2 ? 'HTTP/2' : 'HTTP/1.1'}`, async () => {
    const applicationPort = (application.address() as AddressInfo).port
    const pair = await startSidecarPair({ authority, applicationPort, upgradeToHttp2 })
    events.length = 0
    let text = ''
    let ended = false
    get({ host: '127.0.0.1', port: pair.port, path: '/events', agent: false }, (response) => {
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece))
      response.on('end', () => (ended = true))
    })
    await until('it has begun', () => events.length === 1)
    for (let n = 0; n < 20; n++) {
      // The next is sent only when this one has come: none waits for another.
      events[0]?.write(`data: ${n}\n\n`)
      await until(`event ${n}`, () => text.endsWith(`data: ${n}\n\n`), 1_000)
    }
    events[0]?.end()
    await until('it has ended', () => ended)
    await pair.stop()
  })
}
