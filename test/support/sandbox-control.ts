import { readSandboxFile } from '../../src/processes/supervise/sandbox-file.ts'
import type { ContentInput } from '../../src/sandbox/whatsapp/message-content.ts'

type Received = { id: string; from: string; to: string; kind?: string; text?: string } & Record<string, unknown>

/** The vendors that a whole installation in the sandbox runs beside, driven as their users would. */
export function driveSandbox(dataDir: string) {
  const file = readSandboxFile(dataDir)
  if (!file?.whatsappUrl) throw new Error(`No sandbox runs on ${dataDir}.`)
  const { carrierUrl, whatsappUrl, publicBaseUrl } = file
  const ask = async (url: string, body?: unknown) => {
    const response = await fetch(url, {
      ...(body === undefined
        ? {}
        : { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(60_000),
    })
    if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`)
    return response
  }
  const whatsapp = (path: string, body?: unknown) => ask(`${whatsappUrl}/_control/${path}`, body)
  return {
    /** Places a call; `script` has the caller's steps, sound in base64. */
    async call(call: { from: string; to: string; script: Record<string, unknown>[]; maxSeconds: number }) {
      await ask(`${carrierUrl}/_control/calls`, {
        webhookUrl: `${publicBaseUrl}/webhook/incoming_call`,
        statusCallbackUrl: `${publicBaseUrl}/webhook/call_status`,
        ...call,
      })
    },
    person: (phone: string, name: string) => whatsapp('accounts', { phone, name, delivers: true, reads: true }),
    write: (from: string, to: string, content: ContentInput) => whatsapp('send', { from, to, content }),
    scan: (qr: string, phone: string) => whatsapp('scan', { qr, phone }),
    /** What a person's phone received. */
    async received(phone: string): Promise<Received[]> {
      return (await (await whatsapp(`inbox?phone=${encodeURIComponent(phone)}`)).json()) as Received[]
    },
    async receivedFile(phone: string, id: string): Promise<Buffer> {
      const response = await whatsapp(`media?phone=${encodeURIComponent(phone)}&id=${id}`)
      return Buffer.from(await response.arrayBuffer())
    },
  }
}
