// The sandbox's WhatsApp in its own process; prints its addresses and runs until it is killed.
import { startWhatsAppSandbox } from '../../../../src/sandbox/whatsapp/server.ts'

const { wsUrl, controlUrl } = await startWhatsAppSandbox({ port: 0 })
console.log(JSON.stringify({ wsUrl, controlUrl }))
