import { clientAddress, limitKey, type RequestAddress, type TrustedProxies } from '../../access/proxies.ts'

/** The addresses that requests come from: the socket's peer, or the client behind a trusted proxy. */
export class ClientAddresses {
  readonly #peers = new WeakMap<Request, string>()

  constructor(private readonly proxies: TrustedProxies) {}

  setPeer(request: Request, address: string): void {
    this.#peers.set(request, address)
  }

  readonly peerOf: RequestAddress = (request) => this.#peers.get(request) ?? null

  readonly clientOf = (request: Request): string => clientAddress(request, this.peerOf, this.proxies)

  /** The key that rate limits and body budgets count a client under. */
  readonly limitKeyOf = (request: Request): string => limitKey(this.clientOf(request))
}
