import type { JsonSchema } from '../../trpc/json-schema.ts'
import type { RestOperation } from './operations.ts'

const UUID = '01900000-0000-7000-8000-000000000000'

const BY_FORMAT: Record<string, string> = {
  uuid: UUID,
  'date-time': '2030-01-15T09:00:00Z',
  email: 'dana@example.com',
  uri: 'https://example.com',
}

/** An example of each field, except of body fields that are optional and not in the example of the procedure's meta. */
export function exampleOf(operation: RestOperation): Record<string, unknown> {
  const { fields, required, inBody, meta } = operation
  const given = meta.example ?? {}
  const shown = Object.keys(fields).filter((name) => name in given || required.includes(name) || !inBody.includes(name))
  return Object.fromEntries(
    shown.map((name) => [name, name in given ? given[name] : exampleBySchema(fields[name] ?? {})]),
  )
}

function exampleBySchema(schema: JsonSchema): unknown {
  const { anyOf, const: constant, default: preset, enum: values, format, minimum, type } = schema
  if (preset !== undefined && preset !== null) return preset
  if (constant !== undefined) return constant
  if (Array.isArray(values)) return values[0]
  if (Array.isArray(anyOf)) return exampleBySchema(anyOf[0])
  if (typeof format === 'string' && BY_FORMAT[format]) return BY_FORMAT[format]
  if (type === 'integer' || type === 'number') return typeof minimum === 'number' ? Math.max(1, minimum) : 1
  if (type === 'boolean') return true
  if (type === 'array') return [exampleBySchema(isSchema(schema.items) ? schema.items : {})]
  if (type === 'object') return {}
  return 'text'
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null
}
