//! `error-code` of `wasi:http/types`, to the guest and from it, and `http-error-code`.

use turnkey_http::ErrorCode as Code;
use wasmtime::component::{ComponentType, Lift, Lower, Resource};

use crate::interface::{Interface, State};
use crate::io::error::IoError;

/// The functions of the interface that belong to no resource.
pub(crate) fn define<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("http-error-code", |call, (err,): (Resource<IoError>,)| {
        Ok(call.get(&err)?.http.as_deref().cloned().map(ErrorCode::from))
    });
}

/// `field-size-payload`
#[derive(ComponentType, Lift, Lower, Clone, Debug)]
#[component(record)]
pub(crate) struct FieldSizePayload {
    #[component(name = "field-name")]
    name: Option<String>,
    #[component(name = "field-size")]
    size: Option<u32>,
}

/// `DNS-error-payload`
#[derive(ComponentType, Lift, Lower, Clone, Debug)]
#[component(record)]
pub(crate) struct DnsErrorPayload {
    rcode: Option<String>,
    #[component(name = "info-code")]
    info_code: Option<u16>,
}

/// `TLS-alert-received-payload`
#[derive(ComponentType, Lift, Lower, Clone, Debug)]
#[component(record)]
pub(crate) struct TlsAlertReceivedPayload {
    #[component(name = "alert-id")]
    alert_id: Option<u8>,
    #[component(name = "alert-message")]
    alert_message: Option<String>,
}

impl From<turnkey_http::FieldSize> for FieldSizePayload {
    fn from(turnkey_http::FieldSize { name, size }: turnkey_http::FieldSize) -> Self {
        FieldSizePayload { name, size }
    }
}

impl From<FieldSizePayload> for turnkey_http::FieldSize {
    fn from(FieldSizePayload { name, size }: FieldSizePayload) -> Self {
        turnkey_http::FieldSize { name, size }
    }
}

/// Codes in the standard's order, each with its word, and what it says besides: a value, a value that need not be there, or a
/// record.
macro_rules! error_codes {
    ($(
        $name:ident
        $(($value:ident: $of:ty))?
        $([$option:ident: $inner:ty])?
        $({ $($part:ident),* } as $record:ident)?
        = $word:literal,
    )*) => {
        /// `error-code` of `wasi:http/types`.
        #[derive(ComponentType, Lift, Lower, Clone, Debug)]
        #[component(variant)]
        pub(crate) enum ErrorCode {
            $(#[component(name = $word)] $name $(($of))? $((Option<$inner>))? $(($record))?,)*
        }

        impl From<Code> for ErrorCode {
            fn from(code: Code) -> Self {
                match code {
                    $(Code::$name $(($value))? $(($option))? $({ $($part),* })? => {
                        ErrorCode::$name
                            $(($value.into()))?
                            $(($option.map(<$inner>::from)))?
                            $(($record { $($part),* }))?
                    })*
                }
            }
        }

        impl From<ErrorCode> for Code {
            fn from(code: ErrorCode) -> Self {
                match code {
                    $(ErrorCode::$name $(($value))? $(($option))? $(($record { $($part),* }))? => {
                        Code::$name
                            $(($value.into()))?
                            $(($option.map(Into::into)))?
                            $({ $($part),* })?
                    })*
                }
            }
        }
    };
}

error_codes! {
    DnsTimeout = "DNS-timeout",
    DnsError { rcode, info_code } as DnsErrorPayload = "DNS-error",
    DestinationNotFound = "destination-not-found",
    DestinationUnavailable = "destination-unavailable",
    DestinationIpProhibited = "destination-IP-prohibited",
    DestinationIpUnroutable = "destination-IP-unroutable",
    ConnectionRefused = "connection-refused",
    ConnectionTerminated = "connection-terminated",
    ConnectionTimeout = "connection-timeout",
    ConnectionReadTimeout = "connection-read-timeout",
    ConnectionWriteTimeout = "connection-write-timeout",
    ConnectionLimitReached = "connection-limit-reached",
    TlsProtocolError = "TLS-protocol-error",
    TlsCertificateError = "TLS-certificate-error",
    TlsAlertReceived { alert_id, alert_message } as TlsAlertReceivedPayload = "TLS-alert-received",
    HttpRequestDenied = "HTTP-request-denied",
    HttpRequestLengthRequired = "HTTP-request-length-required",
    HttpRequestBodySize[bytes: u64] = "HTTP-request-body-size",
    HttpRequestMethodInvalid = "HTTP-request-method-invalid",
    HttpRequestUriInvalid = "HTTP-request-URI-invalid",
    HttpRequestUriTooLong = "HTTP-request-URI-too-long",
    HttpRequestHeaderSectionSize[bytes: u32] = "HTTP-request-header-section-size",
    HttpRequestHeaderSize[field: FieldSizePayload] = "HTTP-request-header-size",
    HttpRequestTrailerSectionSize[bytes: u32] = "HTTP-request-trailer-section-size",
    HttpRequestTrailerSize(field: FieldSizePayload) = "HTTP-request-trailer-size",
    HttpResponseIncomplete = "HTTP-response-incomplete",
    HttpResponseHeaderSectionSize[bytes: u32] = "HTTP-response-header-section-size",
    HttpResponseHeaderSize(field: FieldSizePayload) = "HTTP-response-header-size",
    HttpResponseBodySize[bytes: u64] = "HTTP-response-body-size",
    HttpResponseTrailerSectionSize[bytes: u32] = "HTTP-response-trailer-section-size",
    HttpResponseTrailerSize(field: FieldSizePayload) = "HTTP-response-trailer-size",
    HttpResponseTransferCoding[coding: String] = "HTTP-response-transfer-coding",
    HttpResponseContentCoding[coding: String] = "HTTP-response-content-coding",
    HttpResponseTimeout = "HTTP-response-timeout",
    HttpUpgradeFailed = "HTTP-upgrade-failed",
    HttpProtocolError = "HTTP-protocol-error",
    LoopDetected = "loop-detected",
    ConfigurationError = "configuration-error",
    InternalError[text: String] = "internal-error",
}
