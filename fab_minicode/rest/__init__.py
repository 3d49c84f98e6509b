"""The REST doors, registered only on hosts whose security manager can protect them (docs/hosts.md)."""

from fab_minicode.rest.aliases import MinicodeAliasesApi
from fab_minicode.rest.analysis import MinicodeAnalysisApi
from fab_minicode.rest.authorizers import MinicodeAuthorizersApi
from fab_minicode.rest.codes import MinicodeCodesApi
from fab_minicode.rest.exporting import MinicodeExportApi
from fab_minicode.rest.questions import MinicodeQuestionsApi
from fab_minicode.rest.segments import MinicodeSegmentsApi
from fab_minicode.rest.visitors import MinicodeVisitorsApi

APIS = (
    MinicodeAuthorizersApi,
    MinicodeCodesApi,
    MinicodeAnalysisApi,
    MinicodeExportApi,
    MinicodeQuestionsApi,
    MinicodeAliasesApi,
    MinicodeVisitorsApi,
    MinicodeSegmentsApi,
)
