// What the file API answers, as it answers it.

export interface FileEntry {
  readonly file_id: string;
  readonly file_name: string;
  readonly file_size: number;
  readonly version: number;
  /** RFC 3339. Of the first version, and of this one. */
  readonly created_at: string;
  readonly modified_at: string;
}

export interface FileDetails extends FileEntry {
  readonly chunk_count: number;
  readonly replica_count: number;
  readonly content_type: string | null;
}

export interface StoredChunk {
  readonly chunk_id: string;
  readonly size: number;
  readonly checksum: string;
  readonly digest: string;
}

export interface UploadedFile extends FileEntry {
  /** The first thousand. */
  readonly chunks: readonly StoredChunk[];
  readonly chunk_count: number;
}

export interface SessionState {
  readonly upload_id: string;
  readonly file_name: string;
  readonly file_size: number;
  /** Bytes that are durable: where the next part begins. */
  readonly uploaded_size: number;
  readonly chunk_size: number | null;
  readonly created_at: string;
  readonly expires_at: string;
}

export interface NumberedPage {
  readonly total: number;
  readonly page: number;
  readonly page_size: number;
}

export interface PageQuery {
  readonly page?: number | undefined;
  readonly pageSize?: number | undefined;
}
