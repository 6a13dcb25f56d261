import { type InfiniteData, infiniteQueryOptions, QueryClient, queryOptions } from '@tanstack/react-query'
import {
  createTRPCClient,
  getUntypedClient,
  httpBatchLink,
  httpSubscriptionLink,
  splitLink,
  TRPCClientError,
} from '@trpc/client'
import type { AppRouter, Inputs, Outputs } from '../../trpc/client.ts'

import { below, chosenBusiness } from './base.ts'

type Record_ = AppRouter['_def']['record']
type Kind<M extends keyof Record_, P extends keyof Record_[M]> = Record_[M][P] extends { _def: { type: infer T } }
  ? T
  : never
type Paths<K> = {
  [M in keyof Record_ & string]: {
    [P in keyof Record_[M] & string]: Kind<M, P> extends K ? `${M}.${P}` : never
  }[keyof Record_[M] & string]
}[keyof Record_ & string]
type In<T> = T extends `${infer M}.${infer P}`
  ? M extends keyof Inputs
    ? P extends keyof Inputs[M]
      ? Inputs[M][P]
      : never
    : never
  : never
/** Dates travel as JSON, that is as text. */
type Wire<T> = T extends Date
  ? string
  : T extends (infer I)[]
    ? Wire<I>[]
    : T extends object
      ? { [K in keyof T]: Wire<T[K]> }
      : T
export type Out<T> = T extends `${infer M}.${infer P}`
  ? M extends keyof Outputs
    ? P extends keyof Outputs[M]
      ? Wire<Outputs[M][P]>
      : never
    : never
  : never
export type QueryPath = Paths<'query'>
export type MutationPath = Paths<'mutation'>
type Args<I> = undefined extends I ? [input?: I] : [input: I]

const link = splitLink<AppRouter>({
  condition: (operation) => operation.type === 'subscription',
  true: httpSubscriptionLink({
    url: below('/trpc'),
    connectionParams: () => (chosenBusiness() ? { businessId: chosenBusiness() ?? '' } : null),
  }),
  false: httpBatchLink({
    url: below('/trpc'),
    maxURLLength: 2_000,
    maxItems: 20,
    headers: () => (chosenBusiness() ? { 'x-business-id': chosenBusiness() ?? '' } : {}),
  }),
})
export const client = createTRPCClient<AppRouter>({ links: [link] })
const raw = getUntypedClient(client)

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      retry: (count, error) => count < 2 && (statusOf(error) ?? 500) >= 500,
      retryDelay: (count) => 400 * 2 ** count,
    },
  },
})

/** The HTTP status of a refused request; null when the server could not be reached. */
export function statusOf(error: unknown): number | null {
  if (!(error instanceof TRPCClientError)) return null
  const status: unknown = error.data?.httpStatus
  return typeof status === 'number' ? status : null
}

/** The stable code of a refused request; null when there was no answer. */
export function codeOf(error: unknown): string | null {
  if (!(error instanceof TRPCClientError)) return null
  const code: unknown = error.data?.error?.code
  return typeof code === 'string' ? code : null
}

export function query<T extends QueryPath>(path: T, ...[input]: Args<In<T>>) {
  return queryOptions<Out<T>, Error>({
    queryKey: [...path.split('.'), input ?? {}],
    queryFn: ({ signal }) => raw.query(path, input, { signal }) as Promise<Out<T>>,
  })
}

type Cursor = { nextCursor: string | null }

/** A list that goes on: pages by `nextCursor`. */
export function pages<T extends QueryPath>(path: T, input: Omit<NonNullable<In<T>>, 'cursor'>) {
  return infiniteQueryOptions<Out<T>, Error, InfiniteData<Out<T>>, unknown[], string | null>({
    queryKey: [...path.split('.'), input, 'pages'],
    queryFn: ({ signal, pageParam }) =>
      raw.query(path, { ...input, ...(pageParam ? { cursor: pageParam } : {}) }, { signal }) as Promise<Out<T>>,
    initialPageParam: null,
    getNextPageParam: (last) => (last as Cursor).nextCursor,
  })
}

export function mutation<T extends MutationPath>(path: T) {
  return {
    mutationKey: path.split('.'),
    mutationFn: (input: In<T>) => raw.mutation(path, input) as Promise<Out<T>>,
  }
}
