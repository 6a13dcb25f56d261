CREATE TABLE "catalogue_items" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"sku" text NOT NULL,
	"name" text NOT NULL,
	"description" text DEFAULT '' NOT NULL,
	"price_agorot" bigint,
	"currency" text DEFAULT 'ILS' NOT NULL,
	"picture_url" text,
	"state" text DEFAULT 'available' NOT NULL,
	"stock" integer,
	"attributes" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "catalogue_items_price" CHECK ("catalogue_items"."price_agorot" >= 0),
	CONSTRAINT "catalogue_items_stock" CHECK ("catalogue_items"."stock" >= 0),
	CONSTRAINT "catalogue_items_currency" CHECK ("catalogue_items"."currency" in ('ILS', 'USD', 'EUR')),
	CONSTRAINT "catalogue_items_state" CHECK ("catalogue_items"."state" in ('available', 'reserved', 'sold', 'hidden'))
);
--> statement-breakpoint
CREATE TABLE "knowledge_chunks" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"source_id" uuid NOT NULL,
	"page_id" uuid,
	"position" integer NOT NULL,
	"title" text NOT NULL,
	"body" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "knowledge_gap_examples" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"gap_id" uuid NOT NULL,
	"question" text NOT NULL,
	"channel" text NOT NULL,
	"conversation_id" uuid,
	"call_id" uuid,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "knowledge_gap_examples_channel" CHECK ("knowledge_gap_examples"."channel" in ('call', 'whatsapp', 'chat'))
);
--> statement-breakpoint
CREATE TABLE "knowledge_gaps" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"key" text NOT NULL,
	"state" text DEFAULT 'open' NOT NULL,
	"answer" text,
	"decided_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "knowledge_gaps_state" CHECK ("knowledge_gaps"."state" in ('open', 'answered', 'dismissed'))
);
--> statement-breakpoint
CREATE TABLE "knowledge_pages" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"source_id" uuid NOT NULL,
	"url" text NOT NULL,
	"title" text NOT NULL,
	"body" text NOT NULL,
	"hash" text NOT NULL,
	"etag" text,
	"change" text NOT NULL,
	"before" text,
	"changed_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "knowledge_pages_change" CHECK ("knowledge_pages"."change" in ('new', 'changed', 'gone'))
);
--> statement-breakpoint
CREATE TABLE "knowledge_sources" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"title" text NOT NULL,
	"state" text DEFAULT 'waiting' NOT NULL,
	"reason" text,
	"url" text,
	"file_name" text,
	"content_type" text,
	"bytes" integer,
	"sha256" text,
	"storage_key" text,
	"revision" integer DEFAULT 0 NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"next_read_at" timestamp with time zone,
	"read_at" timestamp with time zone,
	"pages" integer,
	"characters" integer,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "knowledge_sources_place" CHECK (("knowledge_sources"."kind" = 'site') = ("knowledge_sources"."url" is not null)),
	CONSTRAINT "knowledge_sources_kind" CHECK ("knowledge_sources"."kind" in ('file', 'site')),
	CONSTRAINT "knowledge_sources_state" CHECK ("knowledge_sources"."state" in ('waiting', 'reading', 'ready', 'unreadable'))
);
--> statement-breakpoint
ALTER TABLE "agent_runs" ADD COLUMN "pictures" jsonb DEFAULT '[]'::jsonb NOT NULL;
--> statement-breakpoint
CREATE UNIQUE INDEX "catalogue_items_tenant" ON "catalogue_items" USING btree ("business_id","id");
--> statement-breakpoint
CREATE UNIQUE INDEX "catalogue_items_sku" ON "catalogue_items" USING btree ("business_id","sku");
--> statement-breakpoint
CREATE UNIQUE INDEX "knowledge_gap_examples_conversation_once" ON "knowledge_gap_examples" USING btree ("gap_id","conversation_id") WHERE "knowledge_gap_examples"."conversation_id" is not null;
--> statement-breakpoint
CREATE UNIQUE INDEX "knowledge_gap_examples_call_once" ON "knowledge_gap_examples" USING btree ("gap_id","call_id") WHERE "knowledge_gap_examples"."call_id" is not null;
--> statement-breakpoint
CREATE UNIQUE INDEX "knowledge_gaps_tenant" ON "knowledge_gaps" USING btree ("business_id","id");
--> statement-breakpoint
CREATE UNIQUE INDEX "knowledge_gaps_key" ON "knowledge_gaps" USING btree ("business_id","key");
--> statement-breakpoint
CREATE UNIQUE INDEX "knowledge_pages_tenant" ON "knowledge_pages" USING btree ("business_id","id");
--> statement-breakpoint
CREATE UNIQUE INDEX "knowledge_pages_url" ON "knowledge_pages" USING btree ("source_id","url");
--> statement-breakpoint
CREATE UNIQUE INDEX "knowledge_sources_tenant" ON "knowledge_sources" USING btree ("business_id","id");
--> statement-breakpoint
CREATE UNIQUE INDEX "knowledge_sources_url" ON "knowledge_sources" USING btree ("business_id","url") WHERE "knowledge_sources"."url" is not null;
--> statement-breakpoint
ALTER TABLE "catalogue_items" ADD CONSTRAINT "catalogue_items_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "knowledge_chunks" ADD CONSTRAINT "knowledge_chunks_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "knowledge_chunks" ADD CONSTRAINT "knowledge_chunks_source_fk" FOREIGN KEY ("business_id","source_id") REFERENCES "public"."knowledge_sources"("business_id","id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "knowledge_chunks" ADD CONSTRAINT "knowledge_chunks_page_fk" FOREIGN KEY ("business_id","page_id") REFERENCES "public"."knowledge_pages"("business_id","id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "knowledge_gap_examples" ADD CONSTRAINT "knowledge_gap_examples_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "knowledge_gap_examples" ADD CONSTRAINT "knowledge_gap_examples_gap_fk" FOREIGN KEY ("business_id","gap_id") REFERENCES "public"."knowledge_gaps"("business_id","id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "knowledge_gap_examples" ADD CONSTRAINT "knowledge_gap_examples_conversation_fk" FOREIGN KEY ("business_id","conversation_id") REFERENCES "public"."conversations"("business_id","id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "knowledge_gap_examples" ADD CONSTRAINT "knowledge_gap_examples_call_fk" FOREIGN KEY ("business_id","call_id") REFERENCES "public"."calls"("business_id","id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "knowledge_gaps" ADD CONSTRAINT "knowledge_gaps_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "knowledge_pages" ADD CONSTRAINT "knowledge_pages_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "knowledge_pages" ADD CONSTRAINT "knowledge_pages_source_fk" FOREIGN KEY ("business_id","source_id") REFERENCES "public"."knowledge_sources"("business_id","id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "knowledge_sources" ADD CONSTRAINT "knowledge_sources_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
CREATE INDEX "knowledge_chunks_source" ON "knowledge_chunks" USING btree ("business_id","source_id","position");
--> statement-breakpoint
CREATE INDEX "knowledge_chunks_page" ON "knowledge_chunks" USING btree ("business_id","page_id");
--> statement-breakpoint
CREATE INDEX "knowledge_gap_examples_gap" ON "knowledge_gap_examples" USING btree ("business_id","gap_id","created_at");
--> statement-breakpoint
CREATE INDEX "knowledge_gap_examples_conversation" ON "knowledge_gap_examples" USING btree ("business_id","conversation_id");
--> statement-breakpoint
CREATE INDEX "knowledge_gap_examples_call" ON "knowledge_gap_examples" USING btree ("business_id","call_id");
--> statement-breakpoint
CREATE INDEX "knowledge_gap_examples_age" ON "knowledge_gap_examples" USING btree ("created_at");
--> statement-breakpoint
CREATE INDEX "knowledge_pages_source" ON "knowledge_pages" USING btree ("business_id","source_id","changed_at");
--> statement-breakpoint
CREATE INDEX "knowledge_sources_due" ON "knowledge_sources" USING btree ("next_read_at") WHERE "knowledge_sources"."next_read_at" is not null;
