import { asc } from 'drizzle-orm'
import { businesses } from '../../../db/schema/index.ts'

/** Decides which business is the first, whose owners run the installation. Clients may choose ids, so an id says nothing about age. */
export const OLDEST_FIRST = [asc(businesses.createdAt), asc(businesses.id)] as const
