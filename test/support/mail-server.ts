import { SMTPServer } from 'smtp-server'

export type ReceivedMail = { from: string; to: string[]; raw: string }

export type MailServer = {
  url: string
  received: ReceivedMail[]
  /** The status for the next recipients; 250 accepts them. */
  recipientStatus: number
  stop(): Promise<void>
}

export async function startMailServer(account?: { user: string; pass: string }): Promise<MailServer> {
  const received: ReceivedMail[] = []
  const state = { recipientStatus: 250 }
  const server = new SMTPServer({
    authOptional: !account,
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    logger: false,
    onAuth(auth, _session, done) {
      const right = auth.username === account?.user && auth.password === account?.pass
      done(right ? null : new Error('no such account'), right ? { user: auth.username } : undefined)
    },
    onRcptTo(address, _session, done) {
      if (state.recipientStatus === 250) return done()
      done(Object.assign(new Error(`refused ${address.address}`), { responseCode: state.recipientStatus }))
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        received.push({
          from: session.envelope.mailFrom ? session.envelope.mailFrom.address : '',
          to: session.envelope.rcptTo.map(({ address }) => address),
          raw: Buffer.concat(chunks).toString('utf8'),
        })
        done()
      })
    },
  })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.on('error', reject)
  const listener = server.listen(0, '127.0.0.1', () => resolve())
  await promise
  const address = listener.address()
  if (typeof address !== 'object' || address === null) throw new Error('The mail server has no port.')
  const credentials = account ? `${account.user}:${account.pass}@` : ''
  return {
    url: `smtp://${credentials}127.0.0.1:${address.port}`,
    received,
    get recipientStatus() {
      return state.recipientStatus
    },
    set recipientStatus(status) {
      state.recipientStatus = status
    },
    stop: () => new Promise<void>((done) => server.close(() => done())),
  }
}

/** The decoded parts of a mail with a text and an HTML alternative. */
export function partsOf(raw: string): { headers: string; text: string; html: string } {
  const [headers = ''] = raw.split('\r\n\r\n', 1)
  const part = (type: string) => {
    const found = new RegExp(`Content-Type: ${type}[\\s\\S]*?\\r\\n\\r\\n([\\s\\S]*?)\\r\\n----`).exec(raw)
    const encoding = new RegExp(`Content-Type: ${type}[\\s\\S]*?Content-Transfer-Encoding: ([\\w-]+)`).exec(raw)?.[1]
    const body = found?.[1] ?? ''
    if (encoding === 'base64') return Buffer.from(body, 'base64').toString('utf8')
    if (encoding !== 'quoted-printable') return body
    const bytes = body
      .replace(/=\r\n/g, '')
      .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    return Buffer.from(bytes, 'latin1').toString('utf8')
  }
  return { headers, text: part('text/plain'), html: part('text/html') }
}
