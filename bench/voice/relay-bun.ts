// The floor: the least a relay on Bun can do. Payloads are cut out as text, nothing is checked, counted or kept.
const engineUrl = process.argv[2] ?? ''
type Call = { streamSid: string; engine: WebSocket; ready: boolean }

const server = Bun.serve<{ call: Call | null }>({
  port: 0,
  hostname: '127.0.0.1',
  fetch: (request, self) =>
    self.upgrade(request, { data: { call: null } }) ? undefined : new Response(null, { status: 426 }),
  websocket: {
    perMessageDeflate: false,
    message(ws, data) {
      const text = String(data)
      const { call } = ws.data
      if (text.startsWith('{"event":"media"')) {
        if (!call?.ready) return
        const from = text.indexOf('"payload":"') + 11
        call.engine.send(`{"type":"input_audio_buffer.append","audio":"${text.slice(from, text.indexOf('"', from))}"}`)
        return
      }
      if (!text.startsWith('{"event":"start"')) return
      const { streamSid } = JSON.parse(text)
      const options = { headers: { Authorization: 'Bearer bench' }, perMessageDeflate: false }
      const engine: WebSocket = Reflect.construct(WebSocket, [engineUrl, options])
      const started: Call = { streamSid, engine, ready: false }
      ws.data.call = started
      const head = `{"event":"media","streamSid":"${streamSid}","media":{"payload":"`
      engine.onopen = () => engine.send('{"type":"session.update","session":{"type":"realtime"}}')
      engine.onmessage = (event) => {
        const message = String(event.data)
        if (message.startsWith('{"type":"response.output_audio.delta"')) {
          const at = message.indexOf('"delta":"') + 9
          ws.send(`${head}${message.slice(at, message.indexOf('"', at))}"}}`)
        } else if (message.startsWith('{"type":"session.updated"')) started.ready = true
      }
    },
    close: (ws) => ws.data.call?.engine.close(),
  },
})

process.on('message', () => process.send?.({ cpu: process.cpuUsage(), rss: process.memoryUsage.rss() }))
process.send?.({ port: server.port })
