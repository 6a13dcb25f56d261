import { describe, expect, test } from 'bun:test'
import { clientAddress, isDirectLoopback, limitKey, NO_PROXIES, parseTrustedProxies } from '../../src/access/proxies.ts'
import { ConfigError, loadConfig } from '../../src/config.ts'
import { temporaryDirectory } from '../support/cleanup.ts'

function proxies(setting: string) {
  const parsed = parseTrustedProxies(setting)
  if (!parsed) throw new Error(`${setting} is refused`)
  return parsed
}

const from = (peer: string | null, headers: Record<string, string>, setting = 'loopback, 10.0.0.0/8') =>
  clientAddress(new Request('http://x/', { headers }), () => peer, setting ? proxies(setting) : NO_PROXIES)

describe('the client’s address', () => {
  test.each<[string, string, Record<string, string>, string]>([
    ['no header', '127.0.0.1', {}, '127.0.0.1'],
    ['one hop', '127.0.0.1', { 'x-forwarded-for': '198.51.100.7' }, '198.51.100.7'],
    [
      'with a port, as Azure and IIS write it',
      '127.0.0.1',
      { 'x-forwarded-for': '198.51.100.7:50123' },
      '198.51.100.7',
    ],
    ['IPv6', '127.0.0.1', { 'x-forwarded-for': '2001:db8::7' }, '2001:db8::7'],
    ['IPv6 in brackets', '127.0.0.1', { 'x-forwarded-for': '[2001:DB8::7]' }, '2001:db8::7'],
    ['IPv6 in brackets with a port', '127.0.0.1', { 'x-forwarded-for': '[2001:db8:0::7]:443' }, '2001:db8::7'],
    ['IPv4 within IPv6', '::ffff:127.0.0.1', { 'x-forwarded-for': '::ffff:198.51.100.7' }, '198.51.100.7'],
    [
      'what the client itself put in front',
      '127.0.0.1',
      { 'x-forwarded-for': '1.1.1.1, 198.51.100.7' },
      '198.51.100.7',
    ],
    ['trusted hops behind it', '127.0.0.1', { 'x-forwarded-for': '1.1.1.1, 198.51.100.7, 10.1.2.3' }, '198.51.100.7'],
    ['trusted hops alone', '127.0.0.1', { 'x-forwarded-for': '10.9.9.9, 10.1.2.3' }, '10.9.9.9'],
    ['no address', '127.0.0.1', { 'x-forwarded-for': '198.51.100.7, unknown' }, '127.0.0.1'],
    ['an empty hop', '127.0.0.1', { 'x-forwarded-for': '198.51.100.7,' }, '127.0.0.1'],
    ['an octal or short spelling', '127.0.0.1', { 'x-forwarded-for': '0177.1' }, '127.0.0.1'],
    ['an untrusted peer', '192.0.2.1', { 'x-forwarded-for': '198.51.100.7' }, '192.0.2.1'],
    ['Forwarded', '127.0.0.1', { forwarded: 'for=198.51.100.7;proto=https;by=10.0.0.1' }, '198.51.100.7'],
    ['Forwarded, IPv6', '127.0.0.1', { forwarded: 'For="[2001:db8::7]:4711"' }, '2001:db8::7'],
    ['Forwarded, several', '127.0.0.1', { forwarded: 'for=1.1.1.1, for=198.51.100.7, for=10.2.3.4' }, '198.51.100.7'],
    ['Forwarded, hidden', '127.0.0.1', { forwarded: 'for=_hidden' }, '127.0.0.1'],
    [
      'both, the same',
      '127.0.0.1',
      { forwarded: 'for=198.51.100.7', 'x-forwarded-for': '198.51.100.7' },
      '198.51.100.7',
    ],
    [
      'both, against each other',
      '127.0.0.1',
      { forwarded: 'for=1.1.1.1', 'x-forwarded-for': '198.51.100.7' },
      '127.0.0.1',
    ],
    ['other headers', '127.0.0.1', { 'x-real-ip': '198.51.100.7', 'true-client-ip': '198.51.100.7' }, '127.0.0.1'],
  ])('%s', (_, peer, headers, expected) => {
    expect(from(peer, headers)).toBe(expected)
  })

  test('is the peer’s without a trusted proxy', () => {
    expect(from('127.0.0.1', { 'x-forwarded-for': '198.51.100.7' }, '')).toBe('127.0.0.1')
  })
})

describe('what limits count by', () => {
  test.each([
    ['198.51.100.7', '198.51.100.7'],
    ['2001:db8:1:2::7', '2001:db8:1:2::/64'],
    ['2001:db8:1:2:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
    ['2001:db8:1:3::7', '2001:db8:1:3::/64'],
    ['::ffff:198.51.100.7', '::ffff:198.51.100.7'],
    ['', ''],
  ])('%s is %s', (address, key) => {
    expect(limitKey(address)).toBe(key)
  })
})

describe('TRUSTED_PROXIES', () => {
  test.each<[string, string[], string[]]>([
    ['loopback', ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'], ['10.0.0.1', '192.0.2.1', '']],
    [
      'private',
      ['10.1.1.1', '172.31.0.1', '192.168.0.1', 'fd00::1', 'fe80::1%eth0'],
      ['127.0.0.1', '172.32.0.1', '100.64.0.1'],
    ],
    ['203.0.113.0/24 2001:db8::/32', ['203.0.113.9', '2001:db8::1'], ['203.0.114.1', '2001:db9::1']],
    ['203.0.113.5', ['203.0.113.5', '::ffff:203.0.113.5'], ['203.0.113.6']],
    ['::ffff:10.0.0.0/104', ['10.1.1.1'], ['11.1.1.1']],
    ['none', [], ['127.0.0.1']],
  ])('%s', (setting, trusted, others) => {
    for (const address of trusted) expect([address, proxies(setting).trusts(address)]).toEqual([address, true])
    for (const address of others) expect([address, proxies(setting).trusts(address)]).toEqual([address, false])
  })

  test.each(['everything', '10.0.0.0/33', '10.0.0/8', 'proxy.example', '*', '10.0.0.1-10.0.0.9'])(
    '%s is refused',
    (setting) => {
      expect(parseTrustedProxies(setting)).toBeNull()
    },
  )

  const problemsOf = (environment: Record<string, string>) => {
    try {
      loadConfig({ DATA_DIR: temporaryDirectory('proxies'), ...environment })
      return []
    } catch (error) {
      return error instanceof ConfigError ? error.problems : [String(error)]
    }
  }

  test('must be said in production behind a public address', () => {
    const production = {
      NODE_ENV: 'production',
      SESSION_SECRET: 'Hq3v9xT7bL2mZk8R4nWc6yPd',
      PUBLIC_BASE_URL: 'https://a.example',
    }
    const named = (environment: Record<string, string>) =>
      problemsOf(environment).some((problem) => problem.startsWith('TRUSTED_PROXIES'))
    expect(named(production)).toBe(true)
    for (const TRUSTED_PROXIES of ['loopback', 'private', 'none', '10.0.0.0/8,192.0.2.1'])
      expect(named({ ...production, TRUSTED_PROXIES })).toBe(false)
    expect(named({ ...production, TRUSTED_PROXIES: 'all' })).toBe(true)
    expect(named({ ...production, PUBLIC_BASE_URL: 'http://localhost:5000' })).toBe(false)
  })

  test('a sandbox is not led to from elsewhere', () => {
    for (const url of ['https://a.example', 'http://10.0.0.1', 'http://0.0.0.0:5000'])
      expect(problemsOf({ SANDBOX: '1', PUBLIC_BASE_URL: url })[0]).toStartWith('PUBLIC_BASE_URL')
    for (const url of ['http://localhost:5000', 'http://127.0.0.1:5000', 'http://[::1]:5000'])
      expect(problemsOf({ SANDBOX: '1', PUBLIC_BASE_URL: url })).toEqual([])
  })
})

describe('a request of this machine itself', () => {
  const direct = (headers: Record<string, string>, peer = '127.0.0.1') =>
    isDirectLoopback(new Request('http://localhost/', { headers }), () => peer)

  test('is one without any header that a proxy or tunnel adds, known or not', () => {
    const browser = {
      host: 'localhost:5000',
      connection: 'keep-alive',
      'user-agent': 'x',
      accept: '*/*',
      'accept-encoding': 'gzip',
      'sec-ch-ua': 'x',
      'sec-fetch-site': 'none',
      cookie: 'a=b',
      'upgrade-insecure-requests': '1',
    }
    expect(direct(browser)).toBe(true)
    expect(direct(browser, '::1')).toBe(true)
    expect(direct(browser, '192.0.2.1')).toBe(false)
    for (const name of FORWARDING) expect([name, direct({ ...browser, [name]: '127.0.0.1' })]).toEqual([name, false])
    expect(direct({ ...browser, connection: 'close' })).toBe(false)
  })
})

/** What proxies, tunnels and clouds are known to add; the rule names none of them. */
const FORWARDING = [
  'forwarded',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-forwarded-server',
  'x-forwarded-prefix',
  'x-forwarded-scheme',
  'x-forwarded-ssl',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'cf-ray',
  'cf-visitor',
  'cdn-loop',
  'fastly-client-ip',
  'fly-client-ip',
  'fly-forwarded-proto',
  'x-appengine-user-ip',
  'x-azure-clientip',
  'x-arr-log-id',
  'x-original-url',
  'x-rewrite-url',
  'x-original-host',
  'x-envoy-external-address',
  'x-request-id',
  'x-amzn-trace-id',
  'x-cloud-trace-context',
  'traceparent',
  'b3',
  'ngrok-trace-id',
  'ngrok-auth-user-email',
  'tailscale-user-login',
  'tailscale-user-name',
  'x-vercel-ip-country',
  'x-nf-client-connection-ip',
  'x-scheme',
  'front-end-https',
  'proxy-connection',
  'x-proxyuser-ip',
  'wl-proxy-client-ip',
  'x-something-new',
]
