import type { z } from 'zod'
import { toJsonSchema } from './json-schema.ts'
import { listProcedures, type ProcedureDefinition } from './procedures.ts'
import { typeOfSchema } from './type-of-schema.ts'

const KINDS = {
  query: 'TRPCQueryProcedure',
  mutation: 'TRPCMutationProcedure',
  subscription: 'TRPCSubscriptionProcedure',
} as const

/** The declarations of `agentlocator/client`: made from the schemas of the router, they name nothing of the server's source. */
export function clientDeclarations(): string {
  const groups = Map.groupBy(listProcedures(), ([path]) => path.split('.')[0] ?? '')
  const record = [...groups].map(
    ([name, procedures]) => `  ${name}: {\n${procedures.map(([path, each]) => declare(path, each)).join('\n')}\n  }`,
  )
  return `${HEAD}\n/** The procedures of an installation. */\nexport type AppRouter = TRPCBuiltRouter<Root, {\n${record.join('\n')}\n}>\n`
}

function declare(path: string, { type, inputs, output, meta }: ProcedureDefinition): string {
  const [input] = inputs
  const text = meta.openapi ? [meta.openapi.summary, meta.openapi.description] : [meta.stream.summary]
  const comment = text.filter((each) => each !== undefined).map((each) => each.replace(/\.?$/, '.'))
  const item = meta.stream?.item
  const result = item
    ? `AsyncIterable<${typeOf(item, 'output')}, void, unknown>`
    : output
      ? typeOf(output, 'output')
      : 'unknown'
  return [
    `    /** ${comment.join(' ').replaceAll('*/', '* /')} */`,
    `    ${path.split('.')[1]}: ${KINDS[type]}<{`,
    `      input: ${input ? inputType(input) : 'void'}`,
    `      output: ${result}`,
    '      meta: object',
    '    }>',
  ].join('\n')
}

function inputType(schema: z.ZodType): string {
  const type = typeOf(schema, 'input')
  return schema.safeParse(undefined).success ? `${type} | void` : type
}

function typeOf(schema: z.ZodType, io: 'input' | 'output'): string {
  return typeOfSchema(toJsonSchema(schema, io), '      ')
}

const HEAD = `import type { TRPCClient } from '@trpc/client'
import type {
  inferRouterInputs,
  inferRouterOutputs,
  TRPC_ERROR_CODE_KEY,
  TRPC_ERROR_CODE_NUMBER,
  TRPCBuiltRouter,
  TRPCMutationProcedure,
  TRPCQueryProcedure,
  TRPCSubscriptionProcedure,
} from '@trpc/server'

type Root = {
  ctx: object
  meta: object
  errorShape: {
    message: string
    code: TRPC_ERROR_CODE_NUMBER
    data: {
      code: TRPC_ERROR_CODE_KEY
      httpStatus: number
      path?: string
      /** The product's own code, and the field of the input that is wrong. */
      error: { code: string; message: string; field?: string }
    }
  }
  transformer: false
}

export type ClientOptions = {
  /** Base address of the installation, without \`/trpc\`. */
  url: string
  /** An API key of the business. */
  apiKey?: string | null
  /** The business, for a caller who may act for several. */
  businessId?: string | null
}

/** A typed client of an installation. Queries and mutations are sent in batches, subscriptions use server-sent events. */
export declare function createClient(options: ClientOptions): TRPCClient<AppRouter>

export type Client = TRPCClient<AppRouter>
/** What procedures take: \`Inputs['contacts']['create']\`. */
export type Inputs = inferRouterInputs<AppRouter>
/** What procedures return: \`Outputs['contacts']['get']\`. */
export type Outputs = inferRouterOutputs<AppRouter>
`
