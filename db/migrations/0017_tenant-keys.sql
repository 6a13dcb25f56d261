-- online: each statement commits alone and can run twice, see db/migrate.ts.
-- The version before this one goes on working meanwhile.
CREATE TABLE IF NOT EXISTS "contact_repairs" (
	"business_id" uuid PRIMARY KEY NOT NULL,
	"runs" integer DEFAULT 0 NOT NULL,
	"last_run_at" timestamp with time zone DEFAULT now() NOT NULL
);--> statement-breakpoint
ALTER TABLE "calls" ADD COLUMN IF NOT EXISTS "registered_at" timestamp with time zone;--> statement-breakpoint
-- A call of a withheld number has no contact to show that it was registered; until now the audit log did.
UPDATE "calls" SET "registered_at" = "started_at" WHERE "contact_id" IS NULL AND "registered_at" IS NULL AND EXISTS (
  SELECT FROM "audit_log" WHERE "entity" = 'call' AND "entity_id" = "calls"."id"::text AND "action" = 'call.register');--> statement-breakpoint
INSERT INTO "contact_repairs" ("business_id", "runs", "last_run_at")
SELECT "businesses"."id", count(*), max("audit_log"."created_at") FROM "businesses" JOIN "audit_log"
  ON "entity" = 'business' AND "entity_id" = "businesses"."id"::text AND "action" = 'contacts.repair' AND "actor_kind" = 'system'
GROUP BY 1 ON CONFLICT DO NOTHING;--> statement-breakpoint
CREATE INDEX CONCURRENTLY IF NOT EXISTS "appointments_business" ON "appointments" USING btree ("business_id","starts_at");--> statement-breakpoint
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "calls_tenant" ON "calls" USING btree ("business_id","id");--> statement-breakpoint
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "contacts_tenant" ON "contacts" USING btree ("business_id","id");--> statement-breakpoint
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "conversations_tenant" ON "conversations" USING btree ("business_id","id");--> statement-breakpoint
CREATE INDEX CONCURRENTLY IF NOT EXISTS "conversations_assigned_user" ON "conversations" USING btree ("assignee_id") WHERE "conversations"."assignee_id" is not null;--> statement-breakpoint
CREATE INDEX CONCURRENTLY IF NOT EXISTS "early_deletions_account" ON "early_deletions" USING btree ("account_id") WHERE "early_deletions"."account_id" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "events_tenant" ON "events" USING btree ("business_id","seq");--> statement-breakpoint
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "imports_tenant" ON "imports" USING btree ("business_id","id");--> statement-breakpoint
CREATE INDEX CONCURRENTLY IF NOT EXISTS "imports_created_by" ON "imports" USING btree ("created_by") WHERE "imports"."created_by" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "leads_tenant" ON "leads" USING btree ("business_id","id");--> statement-breakpoint
CREATE INDEX CONCURRENTLY IF NOT EXISTS "leads_owner_user" ON "leads" USING btree ("owner_id") WHERE "leads"."owner_id" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "messages_dedupe_key" ON "messages" USING btree ("business_id","dedupe_key") WHERE "messages"."dedupe_key" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "messages_idempotency_key" ON "messages" USING btree ("business_id","idempotency_key") WHERE "messages"."idempotency_key" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "messages_tenant" ON "messages" USING btree ("business_id","id");--> statement-breakpoint
CREATE INDEX CONCURRENTLY IF NOT EXISTS "messages_provider_ref" ON "messages" USING btree ("provider","provider_message_id") WHERE "messages"."provider_message_id" is not null;--> statement-breakpoint
CREATE INDEX CONCURRENTLY IF NOT EXISTS "messages_outbound" ON "messages" USING btree ("business_id","id") WHERE "messages"."direction" = 'out';--> statement-breakpoint
CREATE INDEX CONCURRENTLY IF NOT EXISTS "messages_account" ON "messages" USING btree ("account_id") WHERE "messages"."account_id" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "payments_tenant" ON "payments" USING btree ("business_id","id");--> statement-breakpoint
CREATE INDEX CONCURRENTLY IF NOT EXISTS "payments_receipt_message" ON "payments" USING btree ("receipt_message_id") WHERE "payments"."receipt_message_id" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "webhook_endpoints_tenant" ON "webhook_endpoints" USING btree ("business_id","id");--> statement-breakpoint
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "whatsapp_accounts_tenant" ON "whatsapp_accounts" USING btree ("business_id","id");--> statement-breakpoint
CREATE INDEX CONCURRENTLY IF NOT EXISTS "whatsapp_commands_account" ON "whatsapp_commands" USING btree ("account_id");--> statement-breakpoint
ALTER TABLE "contact_repairs"
  DROP CONSTRAINT IF EXISTS "contact_repairs_business_id_businesses_id_fk", ADD CONSTRAINT "contact_repairs_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "businesses"("id") ON DELETE CASCADE NOT VALID;--> statement-breakpoint
ALTER TABLE "appointments"
  DROP CONSTRAINT IF EXISTS "appointments_contact_fk", ADD CONSTRAINT "appointments_contact_fk" FOREIGN KEY ("business_id","contact_id") REFERENCES "contacts"("business_id","id") DEFERRABLE INITIALLY DEFERRED NOT VALID,
  DROP CONSTRAINT IF EXISTS "appointments_call_fk", ADD CONSTRAINT "appointments_call_fk" FOREIGN KEY ("business_id","call_id") REFERENCES "calls"("business_id","id") DEFERRABLE INITIALLY DEFERRED NOT VALID,
  DROP CONSTRAINT IF EXISTS "appointments_state", ADD CONSTRAINT "appointments_state" CHECK ("appointments"."state" in ('booked', 'cancelled')) NOT VALID;--> statement-breakpoint
ALTER TABLE "call_summaries"
  DROP CONSTRAINT IF EXISTS "call_summaries_call_fk", ADD CONSTRAINT "call_summaries_call_fk" FOREIGN KEY ("business_id","call_id") REFERENCES "calls"("business_id","id") ON DELETE CASCADE NOT VALID,
  DROP CONSTRAINT IF EXISTS "call_summaries_sentiment", ADD CONSTRAINT "call_summaries_sentiment" CHECK ("call_summaries"."sentiment" in ('positive', 'neutral', 'negative')) NOT VALID,
  DROP CONSTRAINT IF EXISTS "call_summaries_made_by", ADD CONSTRAINT "call_summaries_made_by" CHECK ("call_summaries"."made_by" in ('rules', 'model')) NOT VALID;--> statement-breakpoint
ALTER TABLE "call_turns"
  DROP CONSTRAINT IF EXISTS "call_turns_call_fk", ADD CONSTRAINT "call_turns_call_fk" FOREIGN KEY ("business_id","call_id") REFERENCES "calls"("business_id","id") ON DELETE CASCADE NOT VALID,
  DROP CONSTRAINT IF EXISTS "call_turns_role", ADD CONSTRAINT "call_turns_role" CHECK ("call_turns"."role" in ('agent', 'caller')) NOT VALID,
  DROP CONSTRAINT IF EXISTS "call_turns_transcript", ADD CONSTRAINT "call_turns_transcript" CHECK ("call_turns"."transcript" in ('none', 'untranscribed', 'low_confidence', 'transcribed')) NOT VALID;--> statement-breakpoint
ALTER TABLE "calls"
  DROP CONSTRAINT IF EXISTS "calls_contact_fk", ADD CONSTRAINT "calls_contact_fk" FOREIGN KEY ("business_id","contact_id") REFERENCES "contacts"("business_id","id") DEFERRABLE INITIALLY DEFERRED NOT VALID,
  DROP CONSTRAINT IF EXISTS "calls_conversation_fk", ADD CONSTRAINT "calls_conversation_fk" FOREIGN KEY ("business_id","conversation_id") REFERENCES "conversations"("business_id","id") DEFERRABLE INITIALLY DEFERRED NOT VALID,
  DROP CONSTRAINT IF EXISTS "calls_direction", ADD CONSTRAINT "calls_direction" CHECK ("calls"."direction" in ('inbound', 'outbound')) NOT VALID,
  DROP CONSTRAINT IF EXISTS "calls_answered_by", ADD CONSTRAINT "calls_answered_by" CHECK ("calls"."answered_by" in ('agent', 'voicemail')) NOT VALID,
  DROP CONSTRAINT IF EXISTS "calls_state", ADD CONSTRAINT "calls_state" CHECK ("calls"."state" in ('ringing', 'live', 'ended')) NOT VALID,
  DROP CONSTRAINT IF EXISTS "calls_fallback", ADD CONSTRAINT "calls_fallback" CHECK ("calls"."fallback" in ('voicemail', 'hangup')) NOT VALID;--> statement-breakpoint
ALTER TABLE "contact_identities"
  DROP CONSTRAINT IF EXISTS "contact_identities_contact_fk", ADD CONSTRAINT "contact_identities_contact_fk" FOREIGN KEY ("business_id","contact_id") REFERENCES "contacts"("business_id","id") ON DELETE CASCADE NOT VALID,
  DROP CONSTRAINT IF EXISTS "contact_identities_kind", ADD CONSTRAINT "contact_identities_kind" CHECK ("contact_identities"."kind" in ('lid', 'external', 'phone', 'whatsapp')) NOT VALID;--> statement-breakpoint
ALTER TABLE "contact_tags"
  DROP CONSTRAINT IF EXISTS "contact_tags_contact_fk", ADD CONSTRAINT "contact_tags_contact_fk" FOREIGN KEY ("business_id","contact_id") REFERENCES "contacts"("business_id","id") ON DELETE CASCADE NOT VALID;--> statement-breakpoint
ALTER TABLE "conversations"
  DROP CONSTRAINT IF EXISTS "conversations_contact_fk", ADD CONSTRAINT "conversations_contact_fk" FOREIGN KEY ("business_id","contact_id") REFERENCES "contacts"("business_id","id") ON DELETE CASCADE NOT VALID,
  DROP CONSTRAINT IF EXISTS "conversations_status", ADD CONSTRAINT "conversations_status" CHECK ("conversations"."status" in ('open', 'closed', 'snoozed')) NOT VALID;--> statement-breakpoint
ALTER TABLE "early_deletions"
  DROP CONSTRAINT IF EXISTS "early_deletions_account_fk", ADD CONSTRAINT "early_deletions_account_fk" FOREIGN KEY ("business_id","account_id") REFERENCES "whatsapp_accounts"("business_id","id") ON DELETE CASCADE NOT VALID,
  DROP CONSTRAINT IF EXISTS "early_deletions_provider", ADD CONSTRAINT "early_deletions_provider" CHECK ("early_deletions"."provider" in ('twilio', 'baileys')) NOT VALID,
  DROP CONSTRAINT IF EXISTS "early_deletions_direction", ADD CONSTRAINT "early_deletions_direction" CHECK ("early_deletions"."direction" in ('in', 'out')) NOT VALID;--> statement-breakpoint
ALTER TABLE "import_keys"
  DROP CONSTRAINT IF EXISTS "import_keys_lead_fk", ADD CONSTRAINT "import_keys_lead_fk" FOREIGN KEY ("business_id","lead_id") REFERENCES "leads"("business_id","id") ON DELETE CASCADE NOT VALID,
  DROP CONSTRAINT IF EXISTS "import_keys_contact_fk", ADD CONSTRAINT "import_keys_contact_fk" FOREIGN KEY ("business_id","contact_id") REFERENCES "contacts"("business_id","id") ON DELETE CASCADE NOT VALID;--> statement-breakpoint
ALTER TABLE "import_rejects"
  DROP CONSTRAINT IF EXISTS "import_rejects_import_fk", ADD CONSTRAINT "import_rejects_import_fk" FOREIGN KEY ("business_id","import_id") REFERENCES "imports"("business_id","id") ON DELETE CASCADE NOT VALID;--> statement-breakpoint
ALTER TABLE "lead_history"
  DROP CONSTRAINT IF EXISTS "lead_history_lead_fk", ADD CONSTRAINT "lead_history_lead_fk" FOREIGN KEY ("business_id","lead_id") REFERENCES "leads"("business_id","id") ON DELETE CASCADE NOT VALID,
  DROP CONSTRAINT IF EXISTS "lead_history_actor_kind", ADD CONSTRAINT "lead_history_actor_kind" CHECK ("lead_history"."actor_kind" in ('user', 'api_key', 'webhook', 'system')) NOT VALID;--> statement-breakpoint
ALTER TABLE "leads"
  DROP CONSTRAINT IF EXISTS "leads_contact_fk", ADD CONSTRAINT "leads_contact_fk" FOREIGN KEY ("business_id","contact_id") REFERENCES "contacts"("business_id","id") ON DELETE CASCADE NOT VALID,
  DROP CONSTRAINT IF EXISTS "leads_call_fk", ADD CONSTRAINT "leads_call_fk" FOREIGN KEY ("business_id","call_id") REFERENCES "calls"("business_id","id") DEFERRABLE INITIALLY DEFERRED NOT VALID,
  DROP CONSTRAINT IF EXISTS "leads_source", ADD CONSTRAINT "leads_source" CHECK ("leads"."source" in ('call', 'voicemail', 'whatsapp', 'manual', 'import')) NOT VALID;--> statement-breakpoint
ALTER TABLE "message_media"
  DROP CONSTRAINT IF EXISTS "message_media_message_fk", ADD CONSTRAINT "message_media_message_fk" FOREIGN KEY ("business_id","message_id") REFERENCES "messages"("business_id","id") ON DELETE CASCADE NOT VALID,
  DROP CONSTRAINT IF EXISTS "message_media_kind", ADD CONSTRAINT "message_media_kind" CHECK ("message_media"."kind" in ('image', 'video', 'audio', 'voice', 'document', 'sticker')) NOT VALID,
  DROP CONSTRAINT IF EXISTS "message_media_state", ADD CONSTRAINT "message_media_state" CHECK ("message_media"."state" in ('pending', 'stored', 'failed', 'unavailable')) NOT VALID;--> statement-breakpoint
ALTER TABLE "messages"
  DROP CONSTRAINT IF EXISTS "messages_conversation_fk", ADD CONSTRAINT "messages_conversation_fk" FOREIGN KEY ("business_id","conversation_id") REFERENCES "conversations"("business_id","id") ON DELETE CASCADE NOT VALID,
  DROP CONSTRAINT IF EXISTS "messages_contact_fk", ADD CONSTRAINT "messages_contact_fk" FOREIGN KEY ("business_id","contact_id") REFERENCES "contacts"("business_id","id") ON DELETE CASCADE NOT VALID,
  DROP CONSTRAINT IF EXISTS "messages_account_fk", ADD CONSTRAINT "messages_account_fk" FOREIGN KEY ("business_id","account_id") REFERENCES "whatsapp_accounts"("business_id","id") DEFERRABLE INITIALLY DEFERRED NOT VALID,
  DROP CONSTRAINT IF EXISTS "messages_direction", ADD CONSTRAINT "messages_direction" CHECK ("messages"."direction" in ('in', 'out')) NOT VALID,
  DROP CONSTRAINT IF EXISTS "messages_provider", ADD CONSTRAINT "messages_provider" CHECK ("messages"."provider" in ('twilio', 'baileys')) NOT VALID,
  DROP CONSTRAINT IF EXISTS "messages_status", ADD CONSTRAINT "messages_status" CHECK ("messages"."status" in ('queued', 'sending', 'sent', 'delivered', 'read', 'failed', 'unknown', 'received')) NOT VALID;--> statement-breakpoint
ALTER TABLE "notes"
  DROP CONSTRAINT IF EXISTS "notes_contact_fk", ADD CONSTRAINT "notes_contact_fk" FOREIGN KEY ("business_id","contact_id") REFERENCES "contacts"("business_id","id") ON DELETE CASCADE NOT VALID,
  DROP CONSTRAINT IF EXISTS "notes_author_kind", ADD CONSTRAINT "notes_author_kind" CHECK ("notes"."author_kind" in ('user', 'api_key', 'webhook', 'system')) NOT VALID;--> statement-breakpoint
ALTER TABLE "payment_checkouts"
  DROP CONSTRAINT IF EXISTS "payment_checkouts_payment_fk", ADD CONSTRAINT "payment_checkouts_payment_fk" FOREIGN KEY ("business_id","payment_id") REFERENCES "payments"("business_id","id") ON DELETE CASCADE NOT VALID,
  DROP CONSTRAINT IF EXISTS "payment_checkouts_provider", ADD CONSTRAINT "payment_checkouts_provider" CHECK ("payment_checkouts"."provider" in ('paypal', 'tranzila')) NOT VALID;--> statement-breakpoint
ALTER TABLE "payment_events"
  DROP CONSTRAINT IF EXISTS "payment_events_payment_fk", ADD CONSTRAINT "payment_events_payment_fk" FOREIGN KEY ("business_id","payment_id") REFERENCES "payments"("business_id","id") ON DELETE CASCADE NOT VALID,
  DROP CONSTRAINT IF EXISTS "payment_events_from_state", ADD CONSTRAINT "payment_events_from_state" CHECK ("payment_events"."from_state" in ('created', 'pending', 'paid', 'failed', 'expired', 'refunded')) NOT VALID,
  DROP CONSTRAINT IF EXISTS "payment_events_to_state", ADD CONSTRAINT "payment_events_to_state" CHECK ("payment_events"."to_state" in ('created', 'pending', 'paid', 'failed', 'expired', 'refunded')) NOT VALID;--> statement-breakpoint
ALTER TABLE "payment_transactions"
  DROP CONSTRAINT IF EXISTS "payment_transactions_payment_fk", ADD CONSTRAINT "payment_transactions_payment_fk" FOREIGN KEY ("business_id","payment_id") REFERENCES "payments"("business_id","id") ON DELETE CASCADE NOT VALID,
  DROP CONSTRAINT IF EXISTS "payment_transactions_provider", ADD CONSTRAINT "payment_transactions_provider" CHECK ("payment_transactions"."provider" in ('paypal', 'tranzila')) NOT VALID,
  DROP CONSTRAINT IF EXISTS "payment_transactions_kind", ADD CONSTRAINT "payment_transactions_kind" CHECK ("payment_transactions"."kind" in ('charge', 'refund')) NOT VALID,
  DROP CONSTRAINT IF EXISTS "payment_transactions_status", ADD CONSTRAINT "payment_transactions_status" CHECK ("payment_transactions"."status" in ('pending', 'completed', 'failed')) NOT VALID;--> statement-breakpoint
ALTER TABLE "payments"
  DROP CONSTRAINT IF EXISTS "payments_contact_fk", ADD CONSTRAINT "payments_contact_fk" FOREIGN KEY ("business_id","contact_id") REFERENCES "contacts"("business_id","id") DEFERRABLE INITIALLY DEFERRED NOT VALID,
  DROP CONSTRAINT IF EXISTS "payments_receipt_message_fk", ADD CONSTRAINT "payments_receipt_message_fk" FOREIGN KEY ("business_id","receipt_message_id") REFERENCES "messages"("business_id","id") DEFERRABLE INITIALLY DEFERRED NOT VALID,
  DROP CONSTRAINT IF EXISTS "payments_receipt", ADD CONSTRAINT "payments_receipt" CHECK ("payments"."receipt" in ('none', 'due', 'sent', 'failed')) NOT VALID;--> statement-breakpoint
ALTER TABLE "recordings"
  DROP CONSTRAINT IF EXISTS "recordings_call_fk", ADD CONSTRAINT "recordings_call_fk" FOREIGN KEY ("business_id","call_id") REFERENCES "calls"("business_id","id") ON DELETE CASCADE NOT VALID,
  DROP CONSTRAINT IF EXISTS "recordings_state", ADD CONSTRAINT "recordings_state" CHECK ("recordings"."state" in ('pending', 'stored', 'failed')) NOT VALID;--> statement-breakpoint
ALTER TABLE "webhook_deliveries"
  DROP CONSTRAINT IF EXISTS "webhook_deliveries_endpoint_fk", ADD CONSTRAINT "webhook_deliveries_endpoint_fk" FOREIGN KEY ("business_id","endpoint_id") REFERENCES "webhook_endpoints"("business_id","id") ON DELETE CASCADE NOT VALID,
  DROP CONSTRAINT IF EXISTS "webhook_deliveries_event_seq_fk", ADD CONSTRAINT "webhook_deliveries_event_seq_fk" FOREIGN KEY ("business_id","event_seq") REFERENCES "events"("business_id","seq") ON DELETE CASCADE NOT VALID,
  DROP CONSTRAINT IF EXISTS "webhook_deliveries_state", ADD CONSTRAINT "webhook_deliveries_state" CHECK ("webhook_deliveries"."state" in ('pending', 'delivered', 'failed')) NOT VALID;--> statement-breakpoint
ALTER TABLE "whatsapp_links"
  DROP CONSTRAINT IF EXISTS "whatsapp_links_account_fk", ADD CONSTRAINT "whatsapp_links_account_fk" FOREIGN KEY ("business_id","account_id") REFERENCES "whatsapp_accounts"("business_id","id") ON DELETE CASCADE NOT VALID,
  DROP CONSTRAINT IF EXISTS "whatsapp_links_delivery", ADD CONSTRAINT "whatsapp_links_delivery" CHECK ("whatsapp_links"."delivery" in ('at-least-once', 'at-most-once')) NOT VALID;--> statement-breakpoint
ALTER TABLE "audit_log"
  DROP CONSTRAINT IF EXISTS "audit_log_actor_kind", ADD CONSTRAINT "audit_log_actor_kind" CHECK ("audit_log"."actor_kind" in ('user', 'api_key', 'webhook', 'system')) NOT VALID;--> statement-breakpoint
ALTER TABLE "business_credentials"
  DROP CONSTRAINT IF EXISTS "business_credentials_provider", ADD CONSTRAINT "business_credentials_provider" CHECK ("business_credentials"."provider" in ('twilio', 'openai', 'paypal', 'tranzila')) NOT VALID;--> statement-breakpoint
ALTER TABLE "businesses"
  DROP CONSTRAINT IF EXISTS "businesses_default_whatsapp_provider", ADD CONSTRAINT "businesses_default_whatsapp_provider" CHECK ("businesses"."default_whatsapp_provider" in ('twilio', 'baileys')) NOT VALID,
  DROP CONSTRAINT IF EXISTS "businesses_fallback_whatsapp_provider", ADD CONSTRAINT "businesses_fallback_whatsapp_provider" CHECK ("businesses"."fallback_whatsapp_provider" in ('twilio', 'baileys')) NOT VALID,
  DROP CONSTRAINT IF EXISTS "businesses_long_text", ADD CONSTRAINT "businesses_long_text" CHECK ("businesses"."long_text" in ('split', 'refuse')) NOT VALID,
  DROP CONSTRAINT IF EXISTS "businesses_payment_provider", ADD CONSTRAINT "businesses_payment_provider" CHECK ("businesses"."payment_provider" in ('paypal', 'tranzila')) NOT VALID;--> statement-breakpoint
ALTER TABLE "erased_identities"
  DROP CONSTRAINT IF EXISTS "erased_identities_kind", ADD CONSTRAINT "erased_identities_kind" CHECK ("erased_identities"."kind" in ('phone', 'lid', 'external', 'contact', 'call')) NOT VALID;--> statement-breakpoint
ALTER TABLE "events"
  DROP CONSTRAINT IF EXISTS "events_actor_kind", ADD CONSTRAINT "events_actor_kind" CHECK ("events"."actor_kind" in ('user', 'api_key', 'webhook', 'system')) NOT VALID;--> statement-breakpoint
ALTER TABLE "heartbeats"
  DROP CONSTRAINT IF EXISTS "heartbeats_kind", ADD CONSTRAINT "heartbeats_kind" CHECK ("heartbeats"."kind" in ('web', 'whatsapp', 'crm', 'recordings')) NOT VALID;--> statement-breakpoint
ALTER TABLE "imports"
  DROP CONSTRAINT IF EXISTS "imports_kind", ADD CONSTRAINT "imports_kind" CHECK ("imports"."kind" in ('contacts', 'leads')) NOT VALID,
  DROP CONSTRAINT IF EXISTS "imports_state", ADD CONSTRAINT "imports_state" CHECK ("imports"."state" in ('queued', 'running', 'done', 'failed')) NOT VALID;--> statement-breakpoint
ALTER TABLE "lead_stages"
  DROP CONSTRAINT IF EXISTS "lead_stages_kind", ADD CONSTRAINT "lead_stages_kind" CHECK ("lead_stages"."kind" in ('open', 'won', 'lost')) NOT VALID;--> statement-breakpoint
ALTER TABLE "mails"
  DROP CONSTRAINT IF EXISTS "mails_kind", ADD CONSTRAINT "mails_kind" CHECK ("mails"."kind" in ('invitation', 'password_reset')) NOT VALID;--> statement-breakpoint
ALTER TABLE "pending_deletions"
  DROP CONSTRAINT IF EXISTS "pending_deletions_kind", ADD CONSTRAINT "pending_deletions_kind" CHECK ("pending_deletions"."kind" in ('file', 'carrier_recording')) NOT VALID;--> statement-breakpoint
ALTER TABLE "whatsapp_accounts"
  DROP CONSTRAINT IF EXISTS "whatsapp_accounts_provider", ADD CONSTRAINT "whatsapp_accounts_provider" CHECK ("whatsapp_accounts"."provider" in ('twilio', 'baileys')) NOT VALID,
  DROP CONSTRAINT IF EXISTS "whatsapp_accounts_state", ADD CONSTRAINT "whatsapp_accounts_state" CHECK ("whatsapp_accounts"."state" in ('stopped', 'starting', 'scan_qr', 'working', 'failed', 'logged_out', 'blocked')) NOT VALID;--> statement-breakpoint
ALTER TABLE "whatsapp_commands"
  DROP CONSTRAINT IF EXISTS "whatsapp_commands_kind", ADD CONSTRAINT "whatsapp_commands_kind" CHECK ("whatsapp_commands"."kind" in ('restart', 'logout', 'pairing_code')) NOT VALID;--> statement-breakpoint
ALTER TABLE "contact_repairs" VALIDATE CONSTRAINT "contact_repairs_business_id_businesses_id_fk";--> statement-breakpoint
ALTER TABLE "appointments" VALIDATE CONSTRAINT "appointments_contact_fk";--> statement-breakpoint
ALTER TABLE "appointments" VALIDATE CONSTRAINT "appointments_call_fk";--> statement-breakpoint
ALTER TABLE "appointments" VALIDATE CONSTRAINT "appointments_state";--> statement-breakpoint
ALTER TABLE "call_summaries" VALIDATE CONSTRAINT "call_summaries_call_fk";--> statement-breakpoint
ALTER TABLE "call_summaries" VALIDATE CONSTRAINT "call_summaries_sentiment";--> statement-breakpoint
ALTER TABLE "call_summaries" VALIDATE CONSTRAINT "call_summaries_made_by";--> statement-breakpoint
ALTER TABLE "call_turns" VALIDATE CONSTRAINT "call_turns_call_fk";--> statement-breakpoint
ALTER TABLE "call_turns" VALIDATE CONSTRAINT "call_turns_role";--> statement-breakpoint
ALTER TABLE "call_turns" VALIDATE CONSTRAINT "call_turns_transcript";--> statement-breakpoint
ALTER TABLE "calls" VALIDATE CONSTRAINT "calls_contact_fk";--> statement-breakpoint
ALTER TABLE "calls" VALIDATE CONSTRAINT "calls_conversation_fk";--> statement-breakpoint
ALTER TABLE "calls" VALIDATE CONSTRAINT "calls_direction";--> statement-breakpoint
ALTER TABLE "calls" VALIDATE CONSTRAINT "calls_answered_by";--> statement-breakpoint
ALTER TABLE "calls" VALIDATE CONSTRAINT "calls_state";--> statement-breakpoint
ALTER TABLE "calls" VALIDATE CONSTRAINT "calls_fallback";--> statement-breakpoint
ALTER TABLE "contact_identities" VALIDATE CONSTRAINT "contact_identities_contact_fk";--> statement-breakpoint
ALTER TABLE "contact_identities" VALIDATE CONSTRAINT "contact_identities_kind";--> statement-breakpoint
ALTER TABLE "contact_tags" VALIDATE CONSTRAINT "contact_tags_contact_fk";--> statement-breakpoint
ALTER TABLE "conversations" VALIDATE CONSTRAINT "conversations_contact_fk";--> statement-breakpoint
ALTER TABLE "conversations" VALIDATE CONSTRAINT "conversations_status";--> statement-breakpoint
ALTER TABLE "early_deletions" VALIDATE CONSTRAINT "early_deletions_account_fk";--> statement-breakpoint
ALTER TABLE "early_deletions" VALIDATE CONSTRAINT "early_deletions_provider";--> statement-breakpoint
ALTER TABLE "early_deletions" VALIDATE CONSTRAINT "early_deletions_direction";--> statement-breakpoint
ALTER TABLE "import_keys" VALIDATE CONSTRAINT "import_keys_lead_fk";--> statement-breakpoint
ALTER TABLE "import_keys" VALIDATE CONSTRAINT "import_keys_contact_fk";--> statement-breakpoint
ALTER TABLE "import_rejects" VALIDATE CONSTRAINT "import_rejects_import_fk";--> statement-breakpoint
ALTER TABLE "lead_history" VALIDATE CONSTRAINT "lead_history_lead_fk";--> statement-breakpoint
ALTER TABLE "lead_history" VALIDATE CONSTRAINT "lead_history_actor_kind";--> statement-breakpoint
ALTER TABLE "leads" VALIDATE CONSTRAINT "leads_contact_fk";--> statement-breakpoint
ALTER TABLE "leads" VALIDATE CONSTRAINT "leads_call_fk";--> statement-breakpoint
ALTER TABLE "leads" VALIDATE CONSTRAINT "leads_source";--> statement-breakpoint
ALTER TABLE "message_media" VALIDATE CONSTRAINT "message_media_message_fk";--> statement-breakpoint
ALTER TABLE "message_media" VALIDATE CONSTRAINT "message_media_kind";--> statement-breakpoint
ALTER TABLE "message_media" VALIDATE CONSTRAINT "message_media_state";--> statement-breakpoint
ALTER TABLE "messages" VALIDATE CONSTRAINT "messages_conversation_fk";--> statement-breakpoint
ALTER TABLE "messages" VALIDATE CONSTRAINT "messages_contact_fk";--> statement-breakpoint
ALTER TABLE "messages" VALIDATE CONSTRAINT "messages_account_fk";--> statement-breakpoint
ALTER TABLE "messages" VALIDATE CONSTRAINT "messages_direction";--> statement-breakpoint
ALTER TABLE "messages" VALIDATE CONSTRAINT "messages_provider";--> statement-breakpoint
ALTER TABLE "messages" VALIDATE CONSTRAINT "messages_status";--> statement-breakpoint
ALTER TABLE "notes" VALIDATE CONSTRAINT "notes_contact_fk";--> statement-breakpoint
ALTER TABLE "notes" VALIDATE CONSTRAINT "notes_author_kind";--> statement-breakpoint
ALTER TABLE "payment_checkouts" VALIDATE CONSTRAINT "payment_checkouts_payment_fk";--> statement-breakpoint
ALTER TABLE "payment_checkouts" VALIDATE CONSTRAINT "payment_checkouts_provider";--> statement-breakpoint
ALTER TABLE "payment_events" VALIDATE CONSTRAINT "payment_events_payment_fk";--> statement-breakpoint
ALTER TABLE "payment_events" VALIDATE CONSTRAINT "payment_events_from_state";--> statement-breakpoint
ALTER TABLE "payment_events" VALIDATE CONSTRAINT "payment_events_to_state";--> statement-breakpoint
ALTER TABLE "payment_transactions" VALIDATE CONSTRAINT "payment_transactions_payment_fk";--> statement-breakpoint
ALTER TABLE "payment_transactions" VALIDATE CONSTRAINT "payment_transactions_provider";--> statement-breakpoint
ALTER TABLE "payment_transactions" VALIDATE CONSTRAINT "payment_transactions_kind";--> statement-breakpoint
ALTER TABLE "payment_transactions" VALIDATE CONSTRAINT "payment_transactions_status";--> statement-breakpoint
ALTER TABLE "payments" VALIDATE CONSTRAINT "payments_contact_fk";--> statement-breakpoint
ALTER TABLE "payments" VALIDATE CONSTRAINT "payments_receipt_message_fk";--> statement-breakpoint
ALTER TABLE "payments" VALIDATE CONSTRAINT "payments_receipt";--> statement-breakpoint
ALTER TABLE "recordings" VALIDATE CONSTRAINT "recordings_call_fk";--> statement-breakpoint
ALTER TABLE "recordings" VALIDATE CONSTRAINT "recordings_state";--> statement-breakpoint
ALTER TABLE "webhook_deliveries" VALIDATE CONSTRAINT "webhook_deliveries_endpoint_fk";--> statement-breakpoint
ALTER TABLE "webhook_deliveries" VALIDATE CONSTRAINT "webhook_deliveries_event_seq_fk";--> statement-breakpoint
ALTER TABLE "webhook_deliveries" VALIDATE CONSTRAINT "webhook_deliveries_state";--> statement-breakpoint
ALTER TABLE "whatsapp_links" VALIDATE CONSTRAINT "whatsapp_links_account_fk";--> statement-breakpoint
ALTER TABLE "whatsapp_links" VALIDATE CONSTRAINT "whatsapp_links_delivery";--> statement-breakpoint
ALTER TABLE "audit_log" VALIDATE CONSTRAINT "audit_log_actor_kind";--> statement-breakpoint
ALTER TABLE "business_credentials" VALIDATE CONSTRAINT "business_credentials_provider";--> statement-breakpoint
ALTER TABLE "businesses" VALIDATE CONSTRAINT "businesses_default_whatsapp_provider";--> statement-breakpoint
ALTER TABLE "businesses" VALIDATE CONSTRAINT "businesses_fallback_whatsapp_provider";--> statement-breakpoint
ALTER TABLE "businesses" VALIDATE CONSTRAINT "businesses_long_text";--> statement-breakpoint
ALTER TABLE "businesses" VALIDATE CONSTRAINT "businesses_payment_provider";--> statement-breakpoint
ALTER TABLE "erased_identities" VALIDATE CONSTRAINT "erased_identities_kind";--> statement-breakpoint
ALTER TABLE "events" VALIDATE CONSTRAINT "events_actor_kind";--> statement-breakpoint
ALTER TABLE "heartbeats" VALIDATE CONSTRAINT "heartbeats_kind";--> statement-breakpoint
ALTER TABLE "imports" VALIDATE CONSTRAINT "imports_kind";--> statement-breakpoint
ALTER TABLE "imports" VALIDATE CONSTRAINT "imports_state";--> statement-breakpoint
ALTER TABLE "lead_stages" VALIDATE CONSTRAINT "lead_stages_kind";--> statement-breakpoint
ALTER TABLE "mails" VALIDATE CONSTRAINT "mails_kind";--> statement-breakpoint
ALTER TABLE "pending_deletions" VALIDATE CONSTRAINT "pending_deletions_kind";--> statement-breakpoint
ALTER TABLE "whatsapp_accounts" VALIDATE CONSTRAINT "whatsapp_accounts_provider";--> statement-breakpoint
ALTER TABLE "whatsapp_accounts" VALIDATE CONSTRAINT "whatsapp_accounts_state";--> statement-breakpoint
ALTER TABLE "whatsapp_commands" VALIDATE CONSTRAINT "whatsapp_commands_kind";--> statement-breakpoint
-- The single-column references with SET NULL stay: they clear the column before the deferred keys are checked.
-- Those to contacts stay for one more version: the one before finds a contact's rows by them when it merges contacts,
-- and would delete what it does not find.
ALTER TABLE "business_credentials" DROP CONSTRAINT IF EXISTS "business_credentials_known";--> statement-breakpoint
ALTER TABLE "call_summaries" DROP CONSTRAINT IF EXISTS "call_summaries_call_id_calls_id_fk";--> statement-breakpoint
ALTER TABLE "call_turns" DROP CONSTRAINT IF EXISTS "call_turns_call_id_calls_id_fk";--> statement-breakpoint
ALTER TABLE "early_deletions" DROP CONSTRAINT IF EXISTS "early_deletions_account_id_whatsapp_accounts_id_fk";--> statement-breakpoint
ALTER TABLE "import_keys" DROP CONSTRAINT IF EXISTS "import_keys_lead_id_leads_id_fk";--> statement-breakpoint
ALTER TABLE "import_rejects" DROP CONSTRAINT IF EXISTS "import_rejects_import_id_imports_id_fk";--> statement-breakpoint
ALTER TABLE "lead_history" DROP CONSTRAINT IF EXISTS "lead_history_lead_id_leads_id_fk";--> statement-breakpoint
ALTER TABLE "message_media" DROP CONSTRAINT IF EXISTS "message_media_message_id_messages_id_fk";--> statement-breakpoint
ALTER TABLE "messages" DROP CONSTRAINT IF EXISTS "messages_conversation_id_conversations_id_fk";--> statement-breakpoint
ALTER TABLE "payment_checkouts" DROP CONSTRAINT IF EXISTS "payment_checkouts_payment_id_payments_id_fk";--> statement-breakpoint
ALTER TABLE "payment_events" DROP CONSTRAINT IF EXISTS "payment_events_payment_id_payments_id_fk";--> statement-breakpoint
ALTER TABLE "payment_transactions" DROP CONSTRAINT IF EXISTS "payment_transactions_payment_id_payments_id_fk";--> statement-breakpoint
ALTER TABLE "recordings" DROP CONSTRAINT IF EXISTS "recordings_call_id_calls_id_fk";--> statement-breakpoint
ALTER TABLE "webhook_deliveries" DROP CONSTRAINT IF EXISTS "webhook_deliveries_endpoint_id_webhook_endpoints_id_fk", DROP CONSTRAINT IF EXISTS "webhook_deliveries_event_seq_events_seq_fk";--> statement-breakpoint
ALTER TABLE "whatsapp_links" DROP CONSTRAINT IF EXISTS "whatsapp_links_account_id_whatsapp_accounts_id_fk";--> statement-breakpoint
DROP INDEX CONCURRENTLY IF EXISTS "calls_list";--> statement-breakpoint
DROP INDEX CONCURRENTLY IF EXISTS "contacts_list";--> statement-breakpoint
DROP INDEX CONCURRENTLY IF EXISTS "imports_list";--> statement-breakpoint
DROP INDEX CONCURRENTLY IF EXISTS "leads_list";--> statement-breakpoint
DROP INDEX CONCURRENTLY IF EXISTS "messages_dedupe";--> statement-breakpoint
DROP INDEX CONCURRENTLY IF EXISTS "messages_idempotency";--> statement-breakpoint
DROP INDEX CONCURRENTLY IF EXISTS "messages_list";--> statement-breakpoint
DROP INDEX CONCURRENTLY IF EXISTS "messages_contact";--> statement-breakpoint
DROP INDEX CONCURRENTLY IF EXISTS "messages_provider_id";--> statement-breakpoint
DROP INDEX CONCURRENTLY IF EXISTS "messages_direction";--> statement-breakpoint
DROP INDEX CONCURRENTLY IF EXISTS "payments_list";--> statement-breakpoint
DROP INDEX CONCURRENTLY IF EXISTS "webhook_endpoints_business";--> statement-breakpoint
DROP INDEX CONCURRENTLY IF EXISTS "whatsapp_accounts_business";
