import postgres, { type Sql } from 'postgres'
import { adminUrl, type EmbeddedConnection, type OwnerRole } from './embedded-files.ts'

/**
 * Gives the database to a role that cannot read the server's files, run programs, or create roles or databases; objects of
 * an earlier version, of the superuser, are reassigned.
 */
export async function assignOwner(connection: EmbeddedConnection, owner: OwnerRole): Promise<void> {
  const name = connection.database
  await asAdmin(connection, 'postgres', async (sql) => {
    const [role] = await sql`select 1 from pg_roles where rolname = ${owner.user}`
    const settings = `login nosuperuser nocreatedb nocreaterole noreplication nobypassrls password '${owner.password}'`
    await sql.unsafe(`${role ? 'alter' : 'create'} role ${quote(owner.user)} ${settings}`)
    const [found] = await sql`select 1 from pg_database where datname = ${name}`
    if (!found) await sql.unsafe(`create database ${quote(name)} owner ${quote(owner.user)}`)
    await sql.unsafe(`alter database ${quote(name)} owner to ${quote(owner.user)}`)
    await sql.unsafe(`revoke all on database ${quote(name)} from public`)
    for (const other of ['postgres', 'template1'])
      await sql.unsafe(`revoke connect, temporary on database ${quote(other)} from public`)
  })
  await asAdmin(connection, name, (sql) => reassignObjects(sql, owner.user))
}

/** Everything outside the system's own schemas and outside extensions, whose members belong to them. */
async function reassignObjects(sql: Sql, user: string): Promise<void> {
  const statements = await sql<{ statement: string }[]>`
    with owner as (select oid from pg_roles where rolname = ${user}),
      places as (
        select oid, nspname, nspowner from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'
      ),
      member as (select classid, objid from pg_depend where deptype = 'e')
    select format('alter schema %I owner to %I', nspname, ${user}::text) as statement
      from places, owner
      where nspname <> 'public' and nspowner <> owner.oid
        and not exists (select from member where classid = 'pg_namespace'::regclass and objid = places.oid)
    union all
    select format('alter table %I.%I owner to %I', nspname, relname, ${user}::text)
      from pg_class join places on places.oid = relnamespace, owner
      where relkind in ('r', 'p', 'v', 'm', 'f', 'S') and relowner <> owner.oid
        and not exists (select from member where classid = 'pg_class'::regclass and objid = pg_class.oid)
        and not (relkind = 'S' and exists (
          select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = pg_class.oid and d.deptype in ('a', 'i')))
    union all
    select format('alter routine %s owner to %I', pg_proc.oid::regprocedure, ${user}::text)
      from pg_proc join places on places.oid = pronamespace, owner
      where proowner <> owner.oid
        and not exists (select from member where classid = 'pg_proc'::regclass and objid = pg_proc.oid)
    union all
    select format('alter type %I.%I owner to %I', nspname, typname, ${user}::text)
      from pg_type join places on places.oid = typnamespace, owner
      where typowner <> owner.oid and (typtype in ('e', 'd', 'r')
          or typtype = 'c' and exists (select from pg_class where pg_class.oid = typrelid and relkind = 'c'))
        and not exists (select from member where classid = 'pg_type'::regclass and objid = pg_type.oid)`
  if (statements.length === 0) return
  await sql.begin(async (tx) => {
    // A start must not wait for ever for a process of an earlier version that still works.
    await tx`set local lock_timeout = '20s'`
    for (const { statement } of statements) await tx.unsafe(statement)
  })
}

async function asAdmin(
  connection: EmbeddedConnection,
  database: string,
  work: (sql: Sql) => Promise<void>,
): Promise<void> {
  const sql = postgres(adminUrl(connection, database), { max: 1, connect_timeout: 3, onnotice: () => {} })
  try {
    await work(sql)
  } finally {
    await sql.end({ timeout: 1 })
  }
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
