// The same relay on Node with ws.
import { createRequire } from 'node:module'

const { WebSocket, WebSocketServer } = createRequire(import.meta.url)('ws')
const engineUrl = process.argv[2]
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })

server.on('connection', (ws) => {
  let engine = null
  let ready = false
  ws.on('message', (data) => {
    const text = data.toString()
    if (text.startsWith('{"event":"media"')) {
      if (!ready) return
      const from = text.indexOf('"payload":"') + 11
      engine.send(`{"type":"input_audio_buffer.append","audio":"${text.slice(from, text.indexOf('"', from))}"}`)
      return
    }
    if (!text.startsWith('{"event":"start"')) return
    const { streamSid } = JSON.parse(text)
    const head = `{"event":"media","streamSid":"${streamSid}","media":{"payload":"`
    engine = new WebSocket(engineUrl, { headers: { Authorization: 'Bearer bench' }, perMessageDeflate: false })
    engine.on('open', () => engine.send('{"type":"session.update","session":{"type":"realtime"}}'))
    engine.on('message', (event) => {
      const message = event.toString()
      if (message.startsWith('{"type":"response.output_audio.delta"')) {
        const at = message.indexOf('"delta":"') + 9
        ws.send(`${head}${message.slice(at, message.indexOf('"', at))}"}}`)
      } else if (message.startsWith('{"type":"session.updated"')) ready = true
    })
  })
  ws.on('close', () => engine?.close())
})

process.on('message', () => process.send({ cpu: process.cpuUsage(), rss: process.memoryUsage.rss() }))
server.on('listening', () => process.send({ port: server.address().port }))
